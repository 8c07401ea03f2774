/**
 * `npm run bench -- <suite> [--rounds 3] [--scale 1] [--corpus <name>]… [--work <folder>] [--dry-run]`: figures as ratios
 * against stock tools.
 */
import { parseArgs } from 'node:util';

const suites = {
  archive: async () => (await import('./archive.ts')).benchArchive,
  repository: async () => (await import('./repository.ts')).benchRepository,
  chunker: async () => (await import('./chunker.ts')).benchChunker,
  index: async () => (await import('./resident-index.ts')).benchIndex,
  databases: async () => (await import('./databases.ts')).benchDatabases,
  'million-files': async () => (await import('./million-files.ts')).benchMillionFiles,
} as const;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    corpus: { type: 'string', multiple: true, default: [] },
    work: { type: 'string' },
    'dry-run': { type: 'boolean', default: false },
  },
});

const loadSuite = suites[positionals[0] as keyof typeof suites];
if (!loadSuite) {
  console.error(`Name a suite: ${Object.keys(suites).join(', ')}`);
  process.exitCode = 2;
} else {
  const suite = await loadSuite();
  await suite({
    rounds: Number(values.rounds),
    scale: Number(values.scale),
    workFolder: values.work,
    isWriting: !values['dry-run'],
    corpora: values.corpus,
  });
}
