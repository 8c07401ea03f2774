/** Our own small icon set: 24 × 24, 1.75 px strokes, drawn in the colour of the text around it. */
const shapes = {
  overview: 'M4 5h7v8H4z M15 5h5v4h-5z M15 13h5v6h-5z M4 17h7v2H4z',
  tasks: 'M4 6.5l1.5 1.5L8.5 5 M4 13l1.5 1.5 3-3 M4 19.5 5.5 21l3-3 M12 7h8 M12 13.5h8 M12 20h8',
  activity: 'M3 12h4l3-8 4 16 3-8h4',
  restore: 'M4 12a8 8 0 1 0 2.6-5.9L4 8.5 M4 4v4.5h4.5 M12 8v4.5l3 1.8',
  servers: 'M4 5h16v6H4z M4 13h16v6H4z M7.5 8h.01 M7.5 16h.01 M11 8h5 M11 16h5',
  storage: 'M4 6.5c0-3.3 16-3.3 16 0s-16 3.3-16 0z M4 6.5v11c0 3.3 16 3.3 16 0v-11 M4 12c0 3.3 16 3.3 16 0',
  settings: 'M4 7h9 M17 7h3 M15 5v4 M4 17h3 M11 17h9 M9 15v4',
  plus: 'M12 5v14 M5 12h14',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14z M20 20l-4-4',
  check: 'M5 12.5l4.5 4.5L19 7',
  'check-circle': 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z M8 12.2l2.8 2.8L16 9.5',
  x: 'M6 6l12 12 M18 6 6 18',
  'x-circle': 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z M9 9l6 6 M15 9l-6 6',
  alert: 'M12 4 2.8 19.5h18.4z M12 10v4 M12 16.8v.2',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z M12 7v5.3l3.5 2',
  spinner: 'M12 3a9 9 0 1 1-8.5 6',
  play: 'M7 5v14l12-7z',
  stop: 'M6.5 6.5h11v11h-11z',
  pause: 'M8 5v14 M16 5v14',
  ban: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z M5.7 5.7l12.6 12.6',
  lock: 'M6 11h12v9H6z M8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  unlock: 'M6 11h12v9H6z M8.5 11V8a3.5 3.5 0 0 1 6.8-1.2',
  download: 'M12 4v11 M7.5 11l4.5 4.5L16.5 11 M5 20h14',
  trash: 'M5 7h14 M9.5 7V4.5h5V7 M7 7l.8 13h8.4L17 7 M10.5 11v5.5 M13.5 11v5.5',
  folder: 'M3.5 6h6l2 2.5h9V19h-17z',
  file: 'M6 3.5h8l4 4V20.5H6z M14 3.5v4h4',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1 M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1',
  'chevron-right': 'M9.5 5.5 16 12l-6.5 6.5',
  'chevron-down': 'M5.5 9.5 12 16l6.5-6.5',
  'chevron-up': 'M5.5 14.5 12 8l6.5 6.5',
  'arrow-left': 'M19 12H5 M11 6l-6 6 6 6',
  copy: 'M9 9h11v11H9z M15 9V4H4v11h5',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z M12 2.5v2 M12 19.5v2 M2.5 12h2 M19.5 12h2 M5.3 5.3l1.4 1.4 M17.3 17.3l1.4 1.4 M5.3 18.7l1.4-1.4 M17.3 6.7l1.4-1.4',
  moon: 'M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z',
  monitor: 'M3.5 5h17v11h-17z M9 20h6 M12 16v4',
  globe: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z M3 12h18 M12 3c-5 5-5 13 0 18 M12 3c5 5 5 13 0 18',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z M4.5 20.5c.8-7.5 14.2-7.5 15 0',
  logout: 'M14 4.5H5v15h9 M10 12h10 M16.5 8.5 20 12l-3.5 3.5',
  key: 'M8 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8z M11 12.5 19.5 4 M15.5 8l3 3',
  shield: 'M12 3.5 5 6v5.5c0 4.5 3 7.5 7 9 4-1.5 7-4.5 7-9V6z M9 12l2.2 2.2L15.2 10',
  menu: 'M4 7h16 M4 12h16 M4 17h16',
  more: 'M6 12h.01 M12 12h.01 M18 12h.01',
  refresh: 'M20 12a8 8 0 1 1-2.3-5.6L20 8.5 M20 4v4.5h-4.5',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z M12 11v5.5 M12 7.8v.2',
  edit: 'M5 19l1-4.5L16.5 4 20 7.5 9.5 18z',
  history: 'M4 12a8 8 0 1 0 2.6-5.9L4 8.5 M4 4v4.5h4.5 M12 8v4.5l3 1.8',
  dash: 'M7 12h10',
  power: 'M12 4v8 M7.5 6.8a7 7 0 1 0 9 0',
  terminal: 'M4 5h16v14H4z M7.5 9.5l3 2.5-3 2.5 M12.5 15h4',
} as const;

export type IconName = keyof typeof shapes;

/** Decorative: the word beside it carries the meaning. */
export function Icon({ name, size = 16, className = '' }: { name: IconName; size?: number; className?: string }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'more' ? 2.75 : 1.75}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      className={`shrink-0 ${className}`}
    >
      <path d={shapes[name]} />
    </svg>
  );
}
