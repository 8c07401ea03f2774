import { useEffect, useRef } from 'react';
import { isTyping } from './shortcuts.ts';

/** One key of a page, while nobody types and no dialog is open; `undefined` switches it off. */
export function useKey(key: string, run: (() => void) | undefined): void {
  const latest = useRef(run);
  latest.current = run;
  useEffect(() => {
    // `g r` is a way to another page: its second key is not ours.
    let previous = '';
    const onKeyDown = (event: KeyboardEvent) => {
      const isSecond = previous === 'g';
      previous = event.key;
      if (event.key !== key || isSecond || !latest.current) return;
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      if (document.querySelector('[role="dialog"]')) return;
      event.preventDefault();
      latest.current();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, [key]);
}
