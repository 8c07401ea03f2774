/** English texts of sources that are no files; come with the console proper, see `en-whole.ts`. */
export const enSources = {
  'source.all': 'All databases, new ones too',
  'source.chooseDatabases': 'Which databases',
  'source.connected': 'Connected: {server}',
  'source.kind': 'Kind of data',
  'source.paste': 'Connection string',
  'source.pasteHelp': 'Paste one to fill the fields below, for example postgres://user:password@host:5432/shop.',
  'source.pasteWrong': 'This is no connection string.',
  'source.readOnlyUser': 'A user who may only read',
  'source.readOnlyUserHelp':
    'Run this on the server as an administrator, with a password of your own, and use that user here.',
  'source.test': 'Test connection',
  'source.tool': 'Dumped with {tool}',
  'source.what': 'Source',
  'sourceRestore.another': 'Another server',
  'sourceRestore.anotherHelp': 'Passwords of the task are not used there.',
  'sourceRestore.dangerMany':
    'This replaces the databases of the backup “{name}” on {server}, as far as they exist. Until the restored ones are whole, the old ones stay.',
  'sourceRestore.dangerOne':
    'This replaces database {name} on {server}. Until the restored one is whole, the old one stays.',
  'sourceRestore.everything': 'All databases of this backup. Select some to restore only those.',
  'sourceRestore.files': 'Files into a folder',
  'sourceRestore.filesHelp': 'Writes the dumps; no database is touched.',
  'sourceRestore.keepsExisting':
    'A database of the same name that is not empty stops the restore; nothing is replaced.',
  'sourceRestore.options': 'Options',
  'sourceRestore.same': 'Where it came from',
  'sourceRestore.sameHelp': 'The server or place of the task.',
  'sourceRestore.toServer': 'Into {server}, by {node}',
} as const;
