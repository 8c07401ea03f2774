/** Options as they were chosen, by the names of the API: the form has words for them, but its driver may be gone. */
export function OptionList({ options }: { options: Readonly<Record<string, unknown>> }) {
  const said = Object.entries(options).filter(([, value]) => value !== false);
  return (
    <ul className="font-mono text-[13px] [overflow-wrap:anywhere]">
      {said.map(([name, value]) => (
        <li key={name}>
          {name}: {Array.isArray(value) ? value.join(', ') : String(value)}
        </li>
      ))}
    </ul>
  );
}
