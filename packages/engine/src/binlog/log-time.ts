/** Times of binary logs are whole seconds since 1970. `2026-05-01T11:59:00Z` */
export const timeText = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
