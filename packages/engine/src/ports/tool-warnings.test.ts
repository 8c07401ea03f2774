import { expect, it } from 'vitest';
import { sortWarnings } from './tool-warnings.ts';

it.each([
  ["-- Warning: Couldn't get status information for table t (no)"],
  ["Warning: Couldn't read keys from table `t`; records are NOT sorted (no)"],
  ["mariadb-dump: Couldn't execute 'SHOW FIELDS': gone (1146)"],
  ['mysqldump: [Warning] something is odd'],
  ['mysqldump: Got error: 1356: View is broken'],
  ["-- Warning: Couldn't get status information for table deprecated (no)"],
  ['the collection shop.directives appears to have been dropped after the dump started'],
])('takes what a dump program says for a doubt: %s', (line) => {
  expect(sortWarnings(`\n${line}\n`)).toEqual({ doubts: [line], remarks: [] });
});

it('tells a doubt once, without the time of it', () => {
  const line = "warning, couldn't get version information from server: no";
  const messages = `2026-05-01T10:00:00.000+0000\t${line}\n2026-05-01T10:00:01.000+0000\t${line}`;
  expect(sortWarnings(messages)).toEqual({ doubts: [line], remarks: [] });
  const gone = 'the collection a.b appears to have been dropped after the dump started';
  expect(sortWarnings(`2026-05-01T10:00:00.000+0000\t${gone}`).doubts).toEqual([gone]);
});

it('tells apart what is about the call', () => {
  const remarks = [
    'WARNING: --master-data is deprecated and will be removed in a future version. Use --source-data instead.',
    "WARNING: ignoring unsupported URI parameter 'compressors'",
    'mysqldump: [Warning] Using a password on the command line interface can be insecure.',
    'WARNING: option --ssl-verify-server-cert is disabled, because of an insecure passwordless login.',
    "Warning: World-writable config file '/etc/mysql/my.cnf' is ignored",
  ];
  const found = sortWarnings(remarks.join('\n'));
  expect(found.doubts).toEqual([]);
  expect(found.remarks).toEqual(remarks);
});

it('leaves out progress, whatever collections and tables are called', () => {
  const messages = [
    "2026-05-01T10:00:00.000+0000\twriting shop.warning to archive 'stdout'",
    '2026-05-01T10:00:00.000+0000\tdone dumping shop.failed errors (3 documents)',
    '2026-05-01T10:00:00.000+0000\t[######..................]  warning.errors  101/700  (14.4%)',
    'mysqldump: Deprecated program name. It will be removed in a future release',
    '-- Retrieving table structure for table warning...',
  ].join('\n');
  expect(sortWarnings(messages)).toEqual({ doubts: [], remarks: [] });
});
