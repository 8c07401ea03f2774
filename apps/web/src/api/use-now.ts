import { useEffect, useState } from 'react';
import { now } from './clock.ts';

/** The present in milliseconds, renewed every `everyMs`, for relative times that stay true. */
export function useNow(everyMs = 30_000): number {
  const [value, setValue] = useState(now);
  useEffect(() => {
    const timer = setInterval(() => setValue(now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return value;
}
