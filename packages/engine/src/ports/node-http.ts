/**
 * HTTP of the runtime. Not imported the usual way: that looks at every export, and some of them load a whole second
 * HTTP client, 30 ms and 14 MB in every thread.
 */
export const nodeHttp = process.getBuiltinModule('node:http');
export const nodeHttps = process.getBuiltinModule('node:https');
