/** `npm run bench -- <suite> [--rounds 3] [--scale 1] [--work <folder>] [--dry-run]`: figures as ratios against stock tools. */
import { parseArgs } from 'node:util';
import { benchArchive } from './archive.ts';

const suites = { archive: benchArchive } as const;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    work: { type: 'string' },
    'dry-run': { type: 'boolean', default: false },
  },
});

const suite = suites[positionals[0] as keyof typeof suites];
if (!suite) {
  console.error(`Name a suite: ${Object.keys(suites).join(', ')}`);
  process.exitCode = 2;
} else {
  await suite({
    rounds: Number(values.rounds),
    scale: Number(values.scale),
    workFolder: values.work,
    isWriting: !values['dry-run'],
  });
}
