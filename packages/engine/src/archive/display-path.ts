/** Display paths are shared with sources and jobs; the archive's files know them under this name. */
export { displayPath, parseDisplayPath } from '../ports/display-path.ts';
