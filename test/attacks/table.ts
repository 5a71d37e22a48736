import type { Attack } from './attack.ts'

/** The rows of the table in `docs/attacks.md`: by section, in the order of files. */
export const tableOf = (attacks: readonly Attack[]): string =>
  [
    '| section | kind | what the attacker would get |',
    '|---|---|---|',
    ...attacks
      .toSorted((a, b) => a.section - b.section)
      .map(({ section, kind, name }) => `| ${section} | ${kind} | ${name.replaceAll('|', '\\|')} |`),
  ].join('\n')
