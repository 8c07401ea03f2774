/** Folder of everything in a backup. */
export const ROOT = '/mysql-physical';
/** The files of the server, as they lie in its data folder. */
export const DATA_FOLDER = `${ROOT}/data`;
