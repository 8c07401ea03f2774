/**
 * The recovery kit of one repository: place, password and the three commands with which stock restic restores it when
 * nothing of this installation is left. It holds the password of the repository, never those of its place.
 */
import { hostname } from 'node:os';
import type { OpenedTarget } from '../../dispatch/locate-artifact.ts';
import { kitCommands } from '../../dispatch/repositories/kit-commands.ts';
import { locationOf } from '../../dispatch/repositories/repository-location.ts';

export interface RepositoryKit {
  readonly siteName: string;
  readonly createdAt: Date;
  readonly name: string;
  /** Hex; empty: it is made by its first run. */
  readonly repositoryId: string;
  readonly password: string;
  readonly target: OpenedTarget;
  readonly prefix: string;
  /** Machine whose disk it lies on; null: the storage is reached from everywhere. */
  readonly onDiskOf: string | null;
  /** Newest snapshot of each task, so that the right one is found among many. */
  readonly newest: readonly { readonly taskName: string; readonly snapshotId: string; readonly at: string }[];
}

function whereLine(kit: RepositoryKit): string {
  const location = locationOf(kit.target, kit.prefix);
  return kit.onDiskOf === null ? location : `${location} on the disk of ${kit.onDiskOf}`;
}

/** Plain text, made for printing. */
export function writeRepositoryKit(kit: RepositoryKit): string {
  return [
    `RECOVERY KIT of the repository "${kit.name}", ${kit.siteName} (BackupX on ${hostname()})`,
    `Made ${kit.createdAt.toISOString()}. Print it or keep it in a safe: whoever has this page can read every backup in it.`,
    '',
    '1. THE PLACE AND THE PASSWORD',
    '',
    `   Place:      ${whereLine(kit)}`,
    `   Password:   ${kit.password}`,
    `   Format:     restic repository${kit.repositoryId ? `, id ${kit.repositoryId}` : ' (made by the first backup)'}`,
    '',
    '2. THE THREE COMMANDS',
    '   Needed: restic (https://restic.net), any version from 0.14 on. Nothing of BackupX.',
    '   They set place and password, list what is there, and restore the newest snapshot to the folder "restored".',
    '',
    ...kitCommands(kit).map((line) => `      ${line}`),
    '',
    ...(kit.newest.length === 0
      ? []
      : [
          '3. NEWEST SNAPSHOT OF EACH TASK',
          '   For one of them write its id instead of "latest".',
          '',
          ...kit.newest.map((one) => `      ${one.snapshotId.slice(0, 12)}  ${one.at}  ${one.taskName}`),
          '',
        ]),
  ].join('\n');
}

const escaped = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** The same as one page of HTML without script, for the printer. */
export function writeRepositoryKitPage(kit: RepositoryKit): string {
  const rows = [
    ['Place', whereLine(kit)],
    ['Password', kit.password],
    ['Repository id', kit.repositoryId || 'made by the first backup'],
    ['Made', kit.createdAt.toISOString()],
  ]
    .map(([name = '', value = '']) => `<tr><th>${name}</th><td><code>${escaped(value)}</code></td></tr>`)
    .join('');
  const newest = kit.newest
    .map(
      (one) =>
        `<tr><td><code>${one.snapshotId.slice(0, 12)}</code></td><td>${escaped(one.at)}</td><td>${escaped(one.taskName)}</td></tr>`,
    )
    .join('');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Recovery kit – ${escaped(kit.name)}</title>
<style>body{font:14px/1.5 system-ui,sans-serif;max-width:48em;margin:2em auto;padding:0 1em;color:#111;background:#fff}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.5em}th{text-align:left;padding-right:1em;vertical-align:top}
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}pre{border:1px solid #888;padding:1em;white-space:pre-wrap;overflow-wrap:anywhere}
.w{border:2px solid #111;padding:.6em 1em}@media print{body{margin:0}}</style></head><body>
<h1>Recovery kit: ${escaped(kit.name)}</h1>
<p>${escaped(kit.siteName)}, BackupX on ${escaped(hostname())}</p>
<p class="w">Whoever has this page can read every backup in this repository. Print it, or keep it in a safe.</p>
<h2>Place and password</h2><table>${rows}</table>
<h2>Three commands that restore it</h2>
<p>Needed: restic (restic.net), any version from 0.14 on. Nothing of BackupX.</p>
<pre>${escaped(kitCommands(kit).join('\n'))}</pre>
${newest === '' ? '' : `<h2>Newest snapshot of each task</h2><p>For one of them write its id instead of “latest”.</p><table>${newest}</table>`}
</body></html>
`;
}
