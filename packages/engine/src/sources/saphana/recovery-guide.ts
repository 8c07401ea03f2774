import type { DatabaseInventory } from '../../ports/database-inventory.ts';
import { quoteName, quoteText, SYSTEM_DATABASE } from './statements.ts';

/** What to do with the files of one database, to be read beside them. `folder`: where they are. */
export function recoveryGuide(inventory: DatabaseInventory, folder: string): string {
  const { database, server, details } = inventory;
  const { backupId = '', kind = '', endedAt = '', prefix = '', method = 'file' } = details;
  const steps = database === SYSTEM_DATABASE ? systemSteps : tenantSteps;
  const isDelta = !kind.startsWith('complete');
  const source = `USING FILE (${quoteText(`${folder}/`)}, ${quoteText(prefix)})`;
  const what = (target: string) => {
    if (method === 'backint')
      return `RECOVER DATA${target} USING BACKUP_ID ${backupId} USING CATALOG BACKINT CLEAR LOG`;
    if (!isDelta) return `RECOVER DATA${target} ${source} CLEAR LOG`;
    const paths = `USING CATALOG PATH (${quoteText(folder)}) USING DATA PATH (${quoteText(folder)})`;
    return `RECOVER DATABASE${target} UNTIL TIMESTAMP ${quoteText(endedAt)} CLEAR LOG ${paths}`;
  };
  return [
    `Recovery of ${database} (${server}), backup ${backupId}: ${kind}, ended ${endedAt} UTC.`,
    'A recovery replaces everything in the database. HANA must be of the same version or a newer one; compare the statements',
    'with the SQL reference of that version before you run them.',
    '',
    ...(isDelta
      ? [
          'This is not a complete backup. Put the files of the complete backup before it, of the incremental and differential',
          'ones between, and a backup of the catalogue into the same folder first; it cannot be recovered alone.',
          '',
        ]
      : []),
    ...(method === 'backint'
      ? ['The data is where the Backint agent put it; its parameter file must be in place.', '']
      : [
          `1. Let HANA read the files:     chown -R <sid>adm:sapsys ${shell(folder)}`,
          `   and prove them, for each:    hdbbackupcheck <file>`,
          '',
        ]),
    ...steps(database, what),
    '',
    'Users and passwords of the database are those of the backup afterwards. Make a complete backup then.',
    '',
  ].join('\n');
}

type What = (target: string) => string;

/** SYSTEMDB is recovered with the system stopped, never over a connection. */
function systemSteps(_database: string, what: What): string[] {
  return [
    '2. As <sid>adm; this stops the system and all tenants:',
    `   HDBSettings.sh recoverSys.py --command ${shell(what(''))}`,
    '3. Tenants are recovered after it, each by its own guide.',
  ];
}

function tenantSteps(database: string, what: What): string[] {
  const name = quoteName(database);
  return [
    '2. In SYSTEMDB:',
    `   ALTER SYSTEM STOP DATABASE ${name};`,
    `   ${what(` FOR ${name}`)};`,
    '   A tenant that does not exist is made first by CREATE DATABASE.',
  ];
}

function shell(text: string): string {
  return /^[\w./@:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
