/**
 * The source of files and folders. Backup walks the given paths with synchronous calls (it runs in a thread of its
 * own) and yields every item as the bytes, times and attributes it has; restore is in `restore-session.ts`.
 *
 * - A path the user named that is a symbolic link is followed, all other links are kept as links.
 * - Exclusions never reach into a path that was named itself; paths inside one another are stored once.
 * - Sockets are skipped; what vanishes, changes or cannot be read is a problem of the run, not its end.
 */
import { z } from 'zod';
import { displayPath } from '../../ports/display-path.ts';
import { defineSource } from '../../ports/source.ts';
import { toBytes } from './byte-paths.ts';
import { countFiles, readAncestors, readFiles } from './read-files.ts';
import { normalizeRoots } from './source-roots.ts';

const absolutePath = z
  .string()
  .refine((path) => path.startsWith('/'), 'The path must be absolute.')
  .refine((path) => !path.includes('\0'), 'The path must not hold a zero byte.');

const configSchema = z.object({
  paths: z.array(absolutePath).min(1).meta({ label: 'Folders and files', placeholder: '/srv/www' }),
  excludePatterns: z.array(z.string()).default([]).meta({
    label: 'Leave out',
    help: 'Patterns as in .gitignore, relative to each path.',
    placeholder: 'node_modules/',
  }),
  oneFileSystem: z.boolean().default(false).meta({
    label: 'Stay on one file system',
    help: 'Folders where another file system is mounted are stored empty.',
    advanced: true,
  }),
});
export const filesSource = defineSource({
  type: 'file',
  title: 'Files and folders',
  config: configSchema,
  verify: 'structure',
  entries: readFiles,
  countTotals: countFiles,
  ancestors: readAncestors,
  snapshotPaths: (config) => normalizeRoots(config.paths).map((root) => displayPath(toBytes(root))),
  // Half of this source: a thread that backs up does without.
  restore: async (config, context) => (await import('./restore-session.ts')).openRestoreSession(config.paths, context),
});
