/** What the programs that copy files say although they end well. */
import type { WarningStyle } from '../../../ports/tool-warnings.ts';

/** Before a line: the thread, the moment, the session: `[01] 2026-05-01 12:00:00 0 `. */
const HEAD = String.raw`(?:\[\d+\] )?(?:\d{4}-\S+ (?:\d\d:\d\d:\d\d )?)?(?:\d+ )?`;

/** They are not of what is in the files that are copied. */
const HARMLESS: readonly RegExp[] = [
  // One that came and went; those that were there before and after are looked for in the copy.
  /table was dropped during .*execution/i,
  // Their files are copied under the names they have.
  /Invalid \(old\?\) table or database name/i,
  // Without that figure the reading of the redo log has no limit, and goes on to its end all the same.
  /could not read Innodb_lsn_flushed/i,
  // Files are read in the plain way then.
  /io_uring_queue_init\(\)|liburing disabled|libaio disabled|Linux Native AIO/i,
  // How the program was called and where it runs.
  /\bis deprecated\b|insecure passwordless|--ssl-verify-server-cert|World-writable config file|\boption '|variable 'datadir'/i,
  /number of max_open_files|open_files_limit/i,
  // The state of a cluster, of use only to a server that joins it.
  /wsrep state/i,
  // It has done its work by then.
  /memory not freed: |could not close database directory/i,
];

/** Warnings, and errors that it went on after. */
export const COPY_WARNINGS: WarningStyle = {
  line: new RegExp(`^${HEAD}((?:[\\w-]+: )?(?:\\[?(?:warning|error)\\b|failed to validate).*)`, 'i'),
  isRemark: (told) => HARMLESS.some((pattern) => pattern.test(told)),
};

/** One or more lines for each file, which would push warnings out. */
export const COPY_PROGRESS = new RegExp(
  `^${HEAD}(?:Streaming |Copied file |Skip table |aria table file .* is copied|>> log scanned| *\\.\\.\\.done)`,
);
