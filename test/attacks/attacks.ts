import { readdirSync } from 'node:fs'
import type { Attack } from './attack.ts'

const FOLDER = new URL('./', import.meta.url)
// Programs: to import one is to run it.
const PROGRAMS: readonly string[] = ['run.ts', 'write-table.ts']

/** Every attack of this folder, or those of one section, in the order of their files. */
export async function loadAttacks(section?: number): Promise<readonly Attack[]> {
  const attacks: Attack[] = []
  for (const file of readdirSync(FOLDER).sort()) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts') || PROGRAMS.includes(file)) continue
    const { attack, attacks: several = [] } = (await import(new URL(file, FOLDER).href)) as {
      attack?: Attack
      attacks?: readonly Attack[]
    }
    const found = attack === undefined ? several : [attack, ...several]
    attacks.push(...found.filter((each) => section === undefined || each.section === section))
  }
  return attacks
}
