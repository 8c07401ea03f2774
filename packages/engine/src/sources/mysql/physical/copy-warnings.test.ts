import { expect, it } from 'vitest';
import { sortWarnings } from '../../../ports/tool-warnings.ts';
import { COPY_PROGRESS, COPY_WARNINGS } from './copy-warnings.ts';

it.each([
  ['[01] 2026-05-01 12:00:00 ', 'Warning: junk at the end of ./shop/t.ibd, offset = 16384, to_read = 12'],
  ['2026-05-01 12:00:00 0 ', '[Warning] InnoDB: Ignoring tablespace for shop/t because it could not be opened.'],
  ['2026-05-01T12:00:00.000000-00:00 0 ', '[Warning] [MY-011825] [Xtrabackup] something is odd'],
  ['', 'mariabackup: Warning: something is odd'],
  ['2026-05-01 12:00:00 0 ', '[ERROR] InnoDB: Page [page id: space=5, page number=3] is corrupted'],
  ['[00] 2026-05-01 12:00:00 ', 'Failed to validate first page of the file shop/t, error 39'],
])('takes what a program that copies says for a doubt, without the moment: %s%s', (head, words) => {
  const messages = `${head}Streaming ./shop/warning.ibd\n${head}${words}\n${head}completed OK!`;
  expect(sortWarnings(messages, COPY_WARNINGS)).toEqual({ doubts: [words], remarks: [] });
});

it.each([
  'Warning: We assume the  table was dropped during xtrabackup execution and ignore the tablespace shop/t',
  'mariabackup: Warning: could not read Innodb_lsn_flushed; the redo log copier has no parse limit.',
  '[Warning] mariadb-backup: io_uring_queue_init() failed with EPERM: try running as root',
  '[Warning] Could not increase number of max_open_files to more than 1024 (request: 4096)',
  "Warning: option 'datadir' has different values:",
  "[ERROR] Invalid (old?) table or database name 'a-b'",
  'WARNING: option --ssl-verify-server-cert is disabled, because of an insecure passwordless login.',
])('takes what is not of the data for a remark: %s', (line) => {
  expect(sortWarnings(`2026-05-01 12:00:00 0 ${line}`, COPY_WARNINGS)).toEqual({ doubts: [], remarks: [line] });
});

it('leaves out notes and progress, whatever tables are called', () => {
  const messages = [
    '[01] 2026-05-01 12:00:00 Streaming ./shop/warning.ibd',
    '[01] 2026-05-01 12:00:00         ...done',
    '[00] 2026-05-01 12:00:00 aria table file ./shop/error.MAI is copied successfully.',
    '[00] 2026-05-01 12:00:00 Copied file ./shop/warning.MYD for table `shop`.`warning`, 14 bytes',
    '[00] 2026-05-01 12:00:00 >> log scanned up to (48213)',
    '2026-05-01 12:00:00 0 [Note] InnoDB: Number of transaction pools: 1',
    '[00] 2026-05-01 12:00:00 completed OK!',
  ];
  expect(sortWarnings(messages.join('\n'), COPY_WARNINGS)).toEqual({ doubts: [], remarks: [] });
  expect(messages.filter((line) => COPY_PROGRESS.test(line))).toEqual(messages.slice(0, 5));
});
