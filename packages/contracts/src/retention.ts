/**
 * How long records are kept, in plain numbers. Days and count limit together, the keep rules add to what
 * stays; with keep rules alone the last 24 hours stay whole. A locked record, the newest good and the newest complete
 * record of a task always stay. 0 switches a rule off; when all are 0 everything is kept.
 */
import { z } from 'zod';

export const retentionPolicySchema = z.object({
  /** Keep records younger than this many days. */
  retentionDays: z.number().int().min(0).max(36_500).default(30),
  /** Keep at most this many good records of a task; 0 = no limit. */
  maxBackups: z.number().int().min(0).max(100_000).default(0),
  keepDaily: z.number().int().min(0).max(3650).default(0),
  keepWeekly: z.number().int().min(0).max(520).default(0),
  keepMonthly: z.number().int().min(0).max(240).default(0),
  keepYearly: z.number().int().min(0).max(100).default(0),
});
export type RetentionPolicy = z.output<typeof retentionPolicySchema>;
