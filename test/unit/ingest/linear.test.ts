import { once } from 'node:events'
import { Session } from 'node:inspector/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadToolCatalogue } from '../../../app/wire/pipeline.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import { expressionsIn, hostilePieces, randomFrom, repeated } from '../../helpers/hostile/pieces.ts'
import { PLACES } from '../../helpers/hostile/places.ts'

const EXPRESSIONS = expressionsIn(['core', 'ingest'])

// What was found by people who tried.
const KNOWN_ATTACKS = [
  '|token=',
  "['api_key', ",
  'sig={"a":"sig=',
  'x-signature: ',
  'sig: |\n  ',
  '<sig><![CDATA[',
  'PuTTY-User-Key-File-1',
  'grant to identified by ',
  "[[%25'''",
  '%AA\n',
  '://.',
  '%%za-_7a_aaaaaaaaaaaaaaaaaaaaaaaa ',
  'token=x;',
  'password=)',
  'valuevalue',
  '00',
]

describe('every expression', () => {
  // Whoever looks ahead by 200 characters may take so many steps at each; whoever looks to the end takes more.
  const MOST_PER_CHARACTER = 300
  const LENGTH = 800

  // A repeated group takes a few frames of the stack each time: how many fit into the usual one differs from run to run.
  let counter: Worker
  beforeAll(() => {
    counter = new Worker(new URL('../../helpers/hostile/steps-worker.ts', import.meta.url), {
      resourceLimits: { stackSizeMb: 64 },
    })
  })
  afterAll(async () => {
    await counter.terminate()
  })

  it.each(EXPRESSIONS)('takes its steps in proportion to the text: $place', async ({ expression }) => {
    for (const piece of hostilePieces([{ place: '', expression }], 6, randomFrom(1))) {
      counter.postMessage({ expression, text: repeated(piece, LENGTH) })
      const [{ steps, fault }] = (await once(counter, 'message')) as [{ steps: number; fault?: string }]
      expect(fault).toBeUndefined()
      expect(steps / LENGTH, JSON.stringify(piece.slice(0, 200))).toBeLessThan(MOST_PER_CHARACTER)
    }
  })
})

/**
 * The work of everything under `ingest/`, counted: each run of a block of code is one, and so is each character that an
 * expression or a search passes over. None of that depends on the machine.
 */
describe('every reader', () => {
  const session = new Session()
  let counted: ReturnType<typeof countCharacters>
  beforeAll(async () => {
    counted = countCharacters()
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  })
  afterAll(async () => {
    counted.stop()
    await session.post('Profiler.stopPreciseCoverage')
    session.disconnect()
  })

  const blocks = async (): Promise<number> => {
    const { result } = await session.post('Profiler.takePreciseCoverage')
    let sum = 0
    for (const { url, functions } of result)
      if (/\/(?:ingest|core)\//.test(url))
        for (const { ranges } of functions) for (const { count } of ranges) sum += count
    return sum
  }

  const key = { id: 'k1', secret: new Uint8Array(32).fill(7) }
  const pipeline = createPipeline({
    catalogue: loadToolCatalogue(),
    redactionKey: key,
    clock: { now: () => Date.UTC(2026, 10, 1, 13) },
  })
  const workOf = async (text: string): Promise<number> => {
    await blocks()
    const before = counted.characters()
    pipeline([
      {
        value: Buffer.from(text),
        ...{ headers: {}, timestampMs: Date.UTC(2026, 10, 1, 13), timestampSource: 'received' },
        ...{ tenant: 'default', topic: 'http', partition: 0, offset: 0 },
      },
    ])
    return (await blocks()) + counted.characters() - before
  }

  const LENGTH = 1500
  const DOUBLINGS = 3
  // A text may be cut where a quote is open or where none is, which makes one length dearer than another. What grows with
  // the square of the length takes 64 times as much.
  const MOST_GROWTH = 3.5 * 2 ** DOUBLINGS
  const MOST_PER_CHARACTER = 500
  const pieces = [
    ...KNOWN_ATTACKS,
    ...hostilePieces(EXPRESSIONS, 2 * EXPRESSIONS.length + 400, randomFrom(2)).slice(-400),
  ]

  it.each(PLACES)('does its work in proportion to the text: $name', async (place) => {
    const at = PLACES.indexOf(place)
    for (const [index, piece] of pieces.entries()) {
      if (index >= KNOWN_ATTACKS.length && index % PLACES.length !== at) continue
      const [short, long] = [LENGTH, LENGTH * 2 ** DOUBLINGS] as const
      const [once, more] = [
        await workOf(place.make(repeated(piece, short))),
        await workOf(place.make(repeated(piece, long))),
      ]
      const what = `${place.name}: ${JSON.stringify(piece.slice(0, 200))}`
      expect((more - once) / (long - short), what).toBeLessThan(MOST_PER_CHARACTER)
      expect(more / once, what).toBeLessThan(MOST_GROWTH)
    }
  })
})

/** Counts the characters that expressions and searches pass over, until it is stopped. */
function countCharacters(): { characters(): number; stop(): void } {
  let characters = 0
  const { exec } = RegExp.prototype
  RegExp.prototype.exec = function (this: RegExp, text: string) {
    const from = this.global || this.sticky ? this.lastIndex : 0
    const match = exec.call(this, text)
    const end =
      match === null ? (this.sticky ? from + 1 : String(text).length) : match.index + match[0].length
    characters += Math.max(1, end - from)
    return match
  }
  const { indexOf } = String.prototype
  String.prototype.indexOf = function (this: string, wanted: string, from = 0) {
    const found = indexOf.call(this, wanted, from)
    characters += found === -1 ? Math.max(0, this.length - from) : found - from + 1
    return found
  }
  return {
    characters: () => characters,
    stop: () => {
      RegExp.prototype.exec = exec
      String.prototype.indexOf = indexOf
    },
  }
}
