import { configDefaults, defineConfig } from 'vitest/config';

/** They measure how long something takes, on the machine as it is, and go by it. */
const measuring = [
  'tests/cluster/faults.test.ts',
  'tests/databases/wal-faults.test.ts',
  'tests/repository/kill-backup.test.ts',
];

/** Limits of tests with real servers, processes and a real browser. */
const system = { testTimeout: 180_000, hookTimeout: 120_000, pool: 'forks' } as const;

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
          testTimeout: 30_000,
          // Some make repositories of a hundred thousand items first, on machines that do other things as well.
          hookTimeout: 60_000,
          pool: 'forks',
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
