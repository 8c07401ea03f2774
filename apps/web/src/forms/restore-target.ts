/** Where a restore goes by default: a new folder beside the original, named for the moment of the backup. */
export function folderBeside(sourcePath: string, startedAt: string): string {
  const original = sourcePath.replace(/\/+$/, '');
  const day = startedAt.slice(0, 10).replaceAll('-', '');
  return original === '' ? `/restored-${day}` : `${original}.restored-${day}`;
}
