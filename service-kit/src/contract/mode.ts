import { z } from 'zod';

/** Whether a provider service sends for real. */
export const modeSchema = z.enum(['sandbox', 'live']).meta({ id: 'Mode' });
export type Mode = z.infer<typeof modeSchema>;
