import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../helpers/gatewatch.ts'
import type { Attack } from './attack.ts'

// Nine levels of nine: 387 million values, in a file of 300 bytes.
const LAUGHS = Array.from({ length: 9 }, (_, level) =>
  level === 0
    ? `a0: &a0 [${Array.from({ length: 9 }, () => 'lol').join(', ')}]`
    : `a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`,
).join('\n')
const FILES = {
  laughs: `${LAUGHS}\nrules: *a8\n`,
  loop: 'rules: &a\n  - *a\n  - id: x\n    detector: *a\n',
  nested: `rules: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`,
  maps: `${Array.from({ length: 2000 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')} 1\n`,
  merged: `${LAUGHS}\nrules:\n  - <<: *a8\n`,
  tags: 'rules: !!js/function "function () { process.exit(0) }"\n',
  prototype: 'rules:\n  - __proto__: { id: x }\n    constructor: { prototype: 1 }\n',
} as const
// A refusal is one line; what nobody has foreseen comes with where it was.
const UNFORESEEN = /heap out of memory|gatewatch: \w*Error:|\n\s+at .+:\d+:\d+/

/** A ruleset, a mapping or a configuration that somebody passed on, looked at before it is used. */
export const attack: Attack = {
  name: 'A file of rules, mappings or settings in YAML takes the memory or the time of who looks at it, or is taken',
  kind: 'YAML bomb',
  section: 2,
  run: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gatewatch-yaml-'))
    try {
      const rules = join(folder, 'rules')
      await mkdir(rules)
      await writeFile(join(folder, 'record.json'), '{"tool":"x"}\n')
      const config = async (name: string, settings: object) => {
        await writeFile(join(folder, name), JSON.stringify({ data: join(folder, 'data'), ...settings }))
        return join(folder, name)
      }
      const faults: string[] = []
      let looks = 0
      const look = async (name: string, ...args: string[]) => {
        // With little memory, so that what grows ends there and not the machine.
        const { code, stdout, stderr } = await runCommand(args, {
          env: { NODE_OPTIONS: '--max-old-space-size=400' },
        })
        looks++
        if (code === 0 || code === null || UNFORESEEN.test(stdout + stderr))
          faults.push(`${name}: ${args[0]} ended with ${code}: ${stderr.slice(0, 200)}`)
        return stderr
      }
      for (const [name, text] of Object.entries(FILES)) await writeFile(join(rules, `${name}.yaml`), text)
      // Each is refused by its name, and none keeps the others from being looked at.
      const said = await look(
        'rules',
        'rules',
        'list',
        '--config',
        await config('c.json', { rules: { folders: [rules] } }),
      )
      for (const name of Object.keys(FILES))
        if (!said.includes(`${name}.yaml`)) faults.push(`${name} is not named`)
      for (const name of ['laughs', 'loop', 'nested', 'merged']) {
        const file = join(rules, `${name}.yaml`)
        const mapped = await config('mapping.json', { mappings: [file] })
        await look(name, 'formats', 'try', join(folder, 'record.json'), '--config', mapped)
        await look(name, 'rules', 'list', '--config', file)
      }
      return {
        succeeded: faults.length > 0,
        detail: `${looks} looks at ${Object.keys(FILES).length} files, ${faults.length} faults ${faults.join('; ')}`,
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
}
