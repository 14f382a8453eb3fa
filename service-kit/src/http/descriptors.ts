import { readdirSync } from 'node:fs';
import process from 'node:process';

/** How many more files and connections this process may open. Infinity if there is no limit, or none that the system reports (Windows). */
export function freeDescriptors(): number {
  try {
    const limit = Number(readReport().userLimits?.open_files.soft);
    return Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit - readdirSync('/dev/fd').length;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

interface Report {
  /** The soft limit is a number, or `unlimited`. */
  userLimits?: { open_files: { soft: number | string } };
}

/** Without the names of connected machines, for which it would wait for DNS. */
function readReport(): Report {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean }; // @types/node omits it
  const { excludeNetwork } = report;
  report.excludeNetwork = true;
  try {
    return report.getReport() as Report;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}
