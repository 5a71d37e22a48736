import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../helpers/gatewatch.ts'
import type { Attack, AttackResult } from './attack.ts'

// Leads to this machine, so that nothing leaves it, and is neither loopback nor an address of it.
const ELSEWHERE = '0.0.0.0'
const TOKEN = `gw_${'T'.repeat(43)}`

/** A folder that somebody else made: an unpacked archive, a share, a repository with a `.gatewatch` in it. */
export const attack: Attack = {
  name: 'A command on a folder of somebody else sends the token to where the folder says',
  kind: 'strange run file',
  section: 3,
  async run(): Promise<AttackResult> {
    const seen: string[] = []
    const listener = createServer((request, answer) => {
      seen.push(request.headers.authorization ?? '')
      answer.end('{"events":[]}')
    })
    await new Promise<void>((resolve) => listener.listen(0, ELSEWHERE, resolve))
    const { port } = listener.address() as AddressInfo
    const folder = await mkdtemp(join(tmpdir(), 'gatewatch-strange-'))
    try {
      const run = { pid: process.pid, url: `http://${ELSEWHERE}:${port}`, receivers: [] }
      await writeFile(join(folder, 'run.json'), JSON.stringify(run))
      const outcomes: string[] = []
      for (const command of [
        ['events', '--data', folder],
        ['alerts', '--data', folder],
      ]) {
        const { code, stderr } = await runCommand(command, { env: { GATEWATCH_TOKEN: TOKEN } })
        outcomes.push(`${command[0]}: ${code}${stderr.includes('--url') ? ', and says to use --url' : ''}`)
      }
      return {
        succeeded: seen.some((header) => header.includes(TOKEN)),
        detail: `${seen.length} requests came in; ${outcomes.join('; ')}`,
      }
    } finally {
      listener.close()
      listener.closeAllConnections()
      await rm(folder, { recursive: true, force: true })
    }
  },
}
