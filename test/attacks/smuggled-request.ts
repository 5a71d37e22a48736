import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attack, Target } from './attack.ts'

const WAIT_MS = 10_000

/** As bytes: no client library sends any of this. */
export const attack: Attack = {
  name: 'Odd headers have one request taken for two, or a request without a valid key for one with it',
  kind: 'smuggled request',
  section: 2,
  run: async (context) => {
    const target = await context.shared()
    const { victim, attacker } = target.pair()
    const mark = 'smuggled_call'
    const record = JSON.stringify({
      'gen_ai.tool.name': mark,
      'user.id': 'mallory',
      'mcp.method.name': 'tools/call',
    })
    const inner = [
      ...['POST /v1/events HTTP/1.1', 'host: 127.0.0.1', `authorization: Bearer ${attacker.key}`],
      ...['content-type: application/json', `content-length: ${record.length}`, '', record],
    ].join('\r\n')
    const head = (...lines: string[]) =>
      [
        'POST /v1/events HTTP/1.1',
        'host: 127.0.0.1',
        'content-type: application/json',
        ...lines,
        '',
        '',
      ].join('\r\n')
    const key = `authorization: Bearer ${victim.key}`
    const unknown = `authorization: Bearer gw_${'A'.repeat(43)}`
    // Of each at most one answer, and none that takes a record.
    const refused = {
      'both lengths': `${head(key, 'content-length: 4', 'transfer-encoding: chunked')}0\r\n\r\n${inner}`,
      'both lengths, other order': `${head(key, 'transfer-encoding: chunked', 'content-length: 4')}0\r\n\r\n${inner}`,
      'two lengths': `${head(key, 'content-length: 0', `content-length: ${inner.length}`)}${inner}`,
      'a list of lengths': `${head(key, `content-length: 0, ${inner.length}`)}${inner}`,
      'a signed length': `${head(key, `content-length: +${inner.length}`)}${inner}`,
      'an unknown coding': `${head(key, 'transfer-encoding: xchunked', 'content-length: 0')}${inner}`,
      'chunked twice': `${head(key, 'transfer-encoding: chunked, chunked')}0\r\n\r\n${inner}`,
      'a blank before the colon': `${head(key, 'transfer-encoding : chunked', 'content-length: 0')}${inner}`,
      'a header on two lines': `${head(key, 'transfer-encoding:\r\n chunked', 'content-length: 0')}${inner}`,
      'a wrong key, then a right one': `${head(unknown, key, `content-length: ${record.length}`)}${record}`,
      'a right key in a trailer': `${head('transfer-encoding: chunked', 'trailer: authorization')}${record.length.toString(16)}\r\n${record}\r\n0\r\n${key}\r\n\r\n`,
      'a wrong key, and a right one in a trailer': `${head(unknown, 'transfer-encoding: chunked')}${record.length.toString(16)}\r\n${record}\r\n0\r\n${key}\r\n\r\n`,
      'a chunk without an end': `${head(key, 'transfer-encoding: chunked')}${'f'.repeat(17)}\r\n${record}\r\n0\r\n\r\n`,
    }
    const faults: string[] = []
    for (const [name, bytes] of Object.entries(refused)) {
      const statuses = await statusesOf(target, bytes)
      if (statuses.length > 1 || statuses.some((status) => status < 400))
        faults.push(`${name}: ${statuses.join(' ')}`)
    }
    await sleep(1000)
    const stored = await target.search(`tool:${mark}`)
    const well = (await fetch(new URL('/healthz', target.url))).ok
    return {
      succeeded: faults.length > 0 || stored.length > 0 || !well,
      detail: `${faults.length} of ${Object.keys(refused).length} forms were taken ${faults.join('; ')}; ${stored.length} records stored`,
    }
  },
}

/** The statuses of all that is answered until the server ends the connection, or says nothing more. */
async function statusesOf({ url }: Target, bytes: string): Promise<number[]> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  const ended = new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
    socket.on('error', () => resolve())
  })
  socket.write(bytes)
  // The half of the connection that speaks is closed: the server answers what it has and ends.
  socket.end()
  await Promise.race([ended, sleep(WAIT_MS, undefined, { ref: false })])
  socket.destroy()
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
}
