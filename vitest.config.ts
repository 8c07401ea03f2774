import { configDefaults, defineConfig } from 'vitest/config';

/** They measure how long something takes, on the machine as it is, and go by it. */
const measuring = [
  'tests/cluster/faults.test.ts',
  'tests/databases/wal-faults.test.ts',
  'tests/repository/kill-backup.test.ts',
];

/** How long a test looks for what must come. Only one that fails waits so long; a busy machine needs seconds at times. */
const patient = { expect: { poll: { timeout: 30_000 } } } as const;

/** Limits of tests with real servers, processes and a real browser. */
const system = { testTimeout: 180_000, hookTimeout: 120_000, pool: 'forks', ...patient } as const;

/**
 * Three projects: `unit` runs the tests that live beside the code (fast, no external program); `system` runs `tests/`,
 * two files at a time, since such a test waits more than it computes; `system-alone` runs those of them that need the
 * machine for themselves. A system test keeps to folders and free ports of its own.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{packages,apps}/*/src/**/*.test.{ts,tsx}', 'tools/**/*.test.ts'],
          // Some start the program several times, or make repositories of a hundred thousand items first; all that on
          // machines that do other things as well.
          testTimeout: 90_000,
          hookTimeout: 120_000,
          pool: 'forks',
          ...patient,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'system',
          include: ['tests/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...measuring],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          ...system,
        },
      },
      {
        test: {
          name: 'system-alone',
          include: measuring,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          ...system,
        },
      },
    ],
  },
});
