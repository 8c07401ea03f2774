import { z } from 'zod';

/** Settings of a task. */
export const sqliteConfigSchema = z.object({
  databases: z
    .array(
      z
        .string()
        .refine((path) => path.startsWith('/'), 'The path must be absolute.')
        .refine((path) => !path.includes('\0'), 'The path must not hold a zero byte.'),
    )
    .min(1)
    .meta({
      label: 'Database files',
      help: 'Absolute paths, or patterns: * and ? within a name, ** for any number of folders, {a,b}.',
      placeholder: '/srv/*/db.sqlite',
    }),
  excludeDatabases: z.array(z.string()).default([]).meta({
    label: 'Leave out',
    help: 'Patterns of absolute paths that are not backed up.',
    placeholder: '/srv/**/cache.sqlite',
    advanced: true,
  }),
  lockWaitSeconds: z.number().int().min(1).max(3600).default(60).meta({
    label: 'Wait for a locked database (seconds)',
    help: 'How long to try when a program holds it locked.',
    advanced: true,
  }),
  integrityCheck: z.enum(['full', 'quick']).default('full').meta({
    label: 'Check of each copy',
    help: 'The quick check leaves out whether indexes and tables agree.',
    advanced: true,
  }),
});
export type SqliteConfig = z.output<typeof sqliteConfigSchema>;

/** Settings of a restore. */
export const sqliteRestoreSchema = z.object({
  rename: z.array(z.string()).default([]).meta({
    label: 'Restore to another path',
    help: 'Lines old=new of absolute paths of files or folders.',
    placeholder: '/srv/a/db.sqlite=/srv/b/db.sqlite',
  }),
  replaceExisting: z.boolean().default(false).meta({
    label: 'Replace databases that exist',
    help: 'Only while no program has them open.',
  }),
});

/** The settings of a restore that a job brought; they were checked before. */
export function restoreOptions(options: Readonly<Record<string, unknown>>): z.output<typeof sqliteRestoreSchema> {
  return sqliteRestoreSchema.parse(options);
}
