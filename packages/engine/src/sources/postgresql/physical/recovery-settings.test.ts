import { expect, it } from 'vitest';
import { assertReachable, recoveryConfig, subscriptionStatement } from './recovery-settings.ts';
import { parseTargetTime, restoreSchema } from './settings.ts';
import { formatTablespaceMap, parseTablespaceMap, relocate } from './tablespace-map.ts';

const options = (more: Record<string, unknown>) => restoreSchema.parse({ dataFolder: '/srv/pg', ...more });

it('replaces what an earlier recovery was told, and keeps the rest', () => {
  const present = "work_mem = '8MB'\nrecovery_target_lsn = '0/1'\nrestore_command = 'old'\narchive_mode = 'on'\n";
  const wish = { recoveryTarget: 'time', targetTime: '2026-05-01 12:00:00', restoreCommand: 'cp "/it\'s/%f" "%p"' };
  expect(recoveryConfig(present, options(wish)).split('\n')).toEqual([
    "work_mem = '8MB'",
    "archive_mode = 'off'",
    "max_logical_replication_workers = '0'",
    `restore_command = 'cp "/it''s/%f" "%p"'`,
    "recovery_target_time = '2026-05-01 12:00:00 UTC'",
    "recovery_target_timeline = 'latest'",
    "recovery_target_action = 'pause'",
    '',
  ]);
  expect(recoveryConfig(present, options({ keepArchiving: true, runSubscriptions: true }))).toBe(
    "work_mem = '8MB'\narchive_mode = 'on'\n",
  );
});

it('switches subscriptions off, and knows how they ran before', () => {
  const present = "max_logical_replication_workers = '7'\nwork_mem = '8MB'\n";
  const text = recoveryConfig(present, options({ keepArchiving: true }));
  expect(text).toBe("work_mem = '8MB'\nmax_logical_replication_workers = '0'\n");
  expect(subscriptionStatement(present)).toBe('ALTER SYSTEM SET max_logical_replication_workers = 7');
  expect(subscriptionStatement("work_mem = '8MB'\n")).toBe('ALTER SYSTEM RESET max_logical_replication_workers');
});

it('names the earliest moment as a target only where more log may follow, or somebody is to look at it', () => {
  const target = "recovery_target = 'immediate'";
  const immediate = (more: Record<string, unknown>) =>
    recoveryConfig('', options({ recoveryTarget: 'immediate', ...more })).split('\n');
  expect(immediate({ targetAction: 'promote' })).not.toContain(target);
  expect(immediate({ targetAction: 'promote' })).toContain("restore_command = 'false'");
  expect(immediate({ targetAction: 'promote', walConfig: '/etc/wal.conf' })).toContain(target);
  expect(immediate({ targetAction: 'pause' })).toContain(target);
});

it('writes a command with the percent signs of a path as they are', () => {
  const text = recoveryConfig('', options({ recoveryTarget: 'latest', walConfig: '/etc/50% more/wal.conf' }));
  expect(text).toContain(`--config ''/etc/50%% more/wal.conf'' --not-there 99 "%f" "%p" || {`);
});

it('refuses a moment before the end of the backup', () => {
  const bounds = { notBefore: '2026-05-01T10:00:00.000Z', lsn: 0x1_0000_0010n, what: 'ended' } as const;
  const time = (targetTime: string) => options({ recoveryTarget: 'time', targetTime });
  expect(() => assertReachable(time('2026-05-01 11:59:59+02'), bounds)).toThrow();
  expect(() => assertReachable(time('2026-05-01 12:00:01+02'), bounds)).not.toThrow();
  const lsn = (targetLsn: string) => options({ recoveryTarget: 'lsn', targetLsn });
  expect(() => assertReachable(lsn('1/F'), bounds)).toThrow();
  expect(() => assertReachable(lsn('1/10'), bounds)).not.toThrow();
});

it.each([
  ['2026-05-01 12:00', Date.UTC(2026, 4, 1, 12)],
  ['2026-05-01T12:00:30.25Z', Date.UTC(2026, 4, 1, 12, 0, 30, 250)],
  ['2026-05-01 12:00:00.123456-0330', Date.UTC(2026, 4, 1, 15, 30, 0, 123)],
  ['2026-02-30 12:00', null],
  ['yesterday', null],
])('reads the moment %s', (text, expected) => {
  expect(parseTargetTime(text)).toBe(expected);
});

it('moves tablespaces, and knows the lines that fit none', () => {
  const map = '16384 /srv/fast disk\n16385 /odd\\\nname\\\\x\n';
  const tablespaces = parseTablespaceMap(map);
  expect(tablespaces.map(({ location }) => location)).toEqual(['/srv/fast disk', '/odd\nname\\x']);
  expect(formatTablespaceMap(tablespaces)).toBe(map);
  expect(relocate(tablespaces, ['/srv/fast disk=/new/', '/x=/y'])).toEqual({
    moved: [{ oid: '16384', location: '/new' }, tablespaces[1]],
    unused: ['/x=/y'],
  });
});
