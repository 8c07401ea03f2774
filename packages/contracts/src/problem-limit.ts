/** A result lists at most this many problems; `problemCount` has the true number. Apart from the shapes of the jobs, so that a thread need not load those to know it. */
export const MAX_LISTED_PROBLEMS = 1000;
