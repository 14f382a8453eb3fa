import { z } from 'zod';

/** Whether a provider service sends for real. */
export const modeSchema = z.enum(['sandbox', 'live']);
export type Mode = z.infer<typeof modeSchema>;
