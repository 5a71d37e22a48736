import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FileSourceOptions, readRecords } from '../../../../ingest/sources/file.ts'
import { openFileRegistry } from '../../../../ingest/sources/file-registry.ts'
import { keyedCoordinates, recordsOfBody } from '../../../../ingest/sources/http.ts'
import { createRecordSplitter } from '../../../../ingest/sources/split-records.ts'
import { cpuMsOf } from '../../../helpers/cpu-time.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-file-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const textOf = (value: Uint8Array) => Buffer.from(value).toString('utf8')

async function read(path: string, changes: Partial<FileSourceOptions> = {}) {
  const records = []
  let next = 0
  const options: FileSourceOptions = {
    ...{ path, tenant: 'default', stdin: Readable.from([]), nowMs: 1 },
    reserve: (_, count) => {
      next += count
      return next - count
    },
    ...changes,
  }
  for await (const batch of readRecords(options)) records.push(...batch)
  return records
}

const splitAll = (text: string | Uint8Array, chunkBytes = 1 << 20) => {
  const bytes = Buffer.from(text as string)
  const splitter = createRecordSplitter()
  const records = []
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    records.push(...splitter.push(bytes.subarray(at, at + chunkBytes)))
  }
  return [...records, ...splitter.end()].map(({ value, ...where }) => ({ text: textOf(value), ...where }))
}

describe('record splitter', () => {
  it.each([
    ['NDJSON', '{"a":1}\n\n{"a":2}\r\n{"a":3}', ['{"a":1}', '{"a":2}', '{"a":3}'], [1, 3, 4]],
    ['text lines', 'one line\ntwo', ['one line', 'two'], [1, 2]],
    [
      'an array',
      ' [ {"a":"]"},\n{"b":[1,{}]} , 3,"x,y" ]\n',
      ['{"a":"]"}', '{"b":[1,{}]}', '3', '"x,y"'],
      [1, 2, 2, 2],
    ],
    ['one document', '{\n "a": "}{\\"",\n "b": [1]\n}\n', ['{\n "a": "}{\\"",\n "b": [1]\n}'], [1]],
    ['two documents', '{\n"a":1}\n{\n"b":2}', ['{\n"a":1}', '{\n"b":2}'], [1, 3]],
    ['a broken first line', '{"a":\n{"a":2}\n{"a":3}', ['{"a":', '{"a":2}', '{"a":3}'], [1, 2, 3]],
    ['a byte order mark', '\ufeff{"a":1}\n', ['{"a":1}'], [1]],
    ['a document cut off', '{\n"a": [1,', ['{\n"a": [1,'], [1]],
    ['an array, then a document', '[{"a":1},{"a":2}] {"a":3}', ['{"a":1}', '{"a":2}', '{"a":3}'], [1, 1, 1]],
    [
      'arrays, documents, lines of NDJSON and of text after each other',
      '[\n{"a":1},\n2]\n{\n"a": 3\n}\n{"a":4}\n[info] five\n[2026-08-21 10:00] six\n{"a":7}{"a":8} [[9]]\n[10, 11]',
      [
        '{"a":1}',
        '2',
        '{\n"a": 3\n}',
        '{"a":4}',
        '[info] five',
        '[2026-08-21 10:00] six',
        '{"a":7}',
        '{"a":8}',
        '[9]',
        '10',
        '11',
      ],
      [2, 3, 4, 7, 8, 9, 10, 10, 10, 11, 11],
    ],
    [
      'a document whose elements begin at the left',
      '{"r":[\n{"a":1},\n{"a":2}\n]}\n{"a":3}',
      ['{"r":[\n{"a":1},\n{"a":2}\n]}', '{"a":3}'],
      [1, 5],
    ],
    ['a line broken off in a text', '{"a":"b\n{"a":2}\n', ['{"a":"b', '{"a":2}'], [1, 2]],
    [
      'broken lines among good ones',
      '{"a":1}\n{"a":{\n{"a":2}\n{"a":[\n{"a":3}\n{"a"',
      ['{"a":1}', '{"a":{', '{"a":2}', '{"a":[', '{"a":3}', '{"a"'],
      [1, 2, 3, 4, 5, 6],
    ],
    [
      'what follows a document on its line',
      '{"a":1} and more\n{"a":2}',
      ['{"a":1}', 'and more', '{"a":2}'],
      [1, 1, 2],
    ],
    [
      'a line of text that begins like a document',
      '{ starting up\nt: "x"\n{"a":1}',
      ['{ starting up', 't: "x"', '{"a":1}'],
      [1, 2, 3],
    ],
    [
      'a broken line of brackets, and the next one by itself',
      '[[[\n{"a":1}\n{"a":2}\n[{"b":\n{"a":3}\n{"a":4}',
      ['[[[', '{"a":1}', '{"a":2}', '[{"b":', '{"a":3}', '{"a":4}'],
      [1, 2, 3, 4, 5, 6],
    ],
    [
      'an array that is broken off, and the lines after it',
      '[{"a":1},{"b":["x\n{"a":2}\n[{"a":3}\n{"a":4}\n[1\n{"a":5}\n{"a":6}',
      ['{"a":1}', '{"b":["x', '{"a":2}', '{"a":3}', '{"a":4}', '[1', '{"a":5}', '{"a":6}'],
      [1, 1, 2, 3, 4, 5, 6, 7],
    ],
    [
      'an array whose elements are wrong here and there',
      '[{"a":NaN},{"a":2} {"a":3},{"b":[} ,{"a":4}]\n{"a":5}',
      ['{"a":NaN}', '{"a":2}', '{"a":3}', '{"b":[} ,{"a":4}]', '{"a":5}'],
      [1, 1, 1, 1, 2],
    ],
    [
      'text after a bracket',
      '[[INFO] one, two\n[[INFO: three\n{"a":1}\n{"a":2}',
      ['[INFO]', 'one, two', '[[INFO: three', '{"a":1}', '{"a":2}'],
      [1, 1, 2, 3, 4],
    ],
    [
      'a number after a bracket, and the next line by itself',
      '[1\n{"a":1}\n[\nINFO text\n{"a":2}\n',
      ['[1', '{"a":1}', '[', 'INFO text', '{"a":2}'],
      [1, 2, 3, 4, 5],
    ],
    ['JSON text sequences', '\u001e{"a":1}\n\u001e{"a":2}\n', ['{"a":1}', '{"a":2}'], [1, 2]],
    ['nothing', ' \n\n', [], []],
    ['an empty array', '[]', [], []],
  ])('reads %s', (_, text, records, lines) => {
    for (const chunkBytes of [1, 7, 1 << 20]) {
      const split = splitAll(text, chunkBytes)
      expect(split.map((record) => record.text)).toEqual(records)
      expect(split.map(({ line }) => line)).toEqual(lines)
      for (const { text: value, offset } of split) {
        expect(Buffer.from(text).subarray(offset).toString('utf8').startsWith(value)).toBe(true)
      }
    }
  })

  it('does not depend on how the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.json(), { maxLength: 20 }),
        fc.constantFrom('lines', 'array', 'pretty'),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 60_000, max: 70_000 }),
        (values, shape, chunkBytes, padding) => {
          const body =
            shape === 'array'
              ? `[${values.join(', ')}]`
              : values
                  .map((value) => (shape === 'pretty' ? JSON.stringify(JSON.parse(value), null, 1) : value))
                  .map((value) => `${value}\n`)
                  .join('')
          // Long enough for the shape to be decided before the end.
          const text = shape === 'array' ? `[${' '.repeat(padding)}${body.slice(1)}` : body
          expect(splitAll(text, chunkBytes)).toEqual(splitAll(text))
          if (shape === 'array') expect(splitAll(text).map((record) => record.text)).toEqual(values)
        },
      ),
      { numRuns: 25 },
    )
  })

  it.each(['[', '{', '{"a":[', '[{"a":', '[[1],', '["a",{"b":'])(
    'a line of very many %s costs itself only, and no more time for its length',
    (broken) => {
      const lines = Array.from({ length: 3 }, (_, index) => `{"a":${index}}`)
      for (const bytes of [1_000_000, 10_000_000]) {
        const line = broken.repeat(bytes / broken.length)
        let split: ReturnType<typeof splitAll> = []
        const cpuMs = cpuMsOf(() => {
          split = splitAll(`${line}\n${lines.join('\n')}\n`)
        })
        expect(cpuMs).toBeLessThan(10_000)
        expect(split.slice(-3).map(({ text }) => text)).toEqual(lines)
        expect(split.slice(-3).map((record) => record.line)).toEqual([2, 3, 4])
      }
    },
  )

  it('loses nothing but the structure of arrays, however broken, and however it is cut', () => {
    const fragments = [
      '[',
      ']',
      '{',
      '}',
      '"',
      ',',
      ':',
      '\n',
      '\n',
      ' ',
      '{"a":1}',
      '[2]',
      'x',
      '7',
      '\\',
      'true',
    ]
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...fragments), { maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        (chosen, chunkBytes) => {
          const text = chosen.join('')
          const contentOf = (part: string) => part.replace(/[[\],\s]/g, '')
          for (const records of [splitAll(text), splitAll(text, chunkBytes)]) {
            expect(contentOf(records.map((record) => record.text).join(''))).toBe(contentOf(text))
            for (const { text: value, offset, line } of records) {
              expect(text.slice(offset).startsWith(value)).toBe(true)
              expect(text.slice(0, offset).split('\n')).toHaveLength(line)
            }
          }
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('keeps memory bounded on a line without end, and goes on after it', () => {
    const splitter = createRecordSplitter(1000)
    const records = [
      ...splitter.push(Buffer.from(`{"a":1}\n${'x'.repeat(100_000)}`)),
      ...splitter.push(Buffer.from(`${'x'.repeat(100_000)}\n{"a":2}\n`)),
      ...splitter.end(),
    ]
    expect(records.map(({ value, offset }) => [value.byteLength, offset])).toEqual([
      [7, 0],
      [1000, 8],
      [7, 200_009],
    ])
  })
})

describe('file source', () => {
  it('gives the same coordinates again, also after lines were appended and for gzip', async () => {
    const path = join(folder, 'audit.log')
    await writeFile(path, '{"a":1}\n{"a":2}\n')
    const registry = await openFileRegistry(join(folder, 'registry'))
    const first = await read(path, { registry })
    await appendFile(path, '{"a":3}\n')
    const second = await read(path, { registry })
    expect(second.slice(0, 2).map(({ topic, offset }) => [topic, offset])).toEqual(
      first.map(({ topic, offset }) => [topic, offset]),
    )
    expect(second.map(({ offset }) => offset)).toEqual([0, 8, 16])
    await writeFile(path, '{"b":1}\n')
    expect((await read(path))[0]?.topic).not.toBe(first[0]?.topic)
    await writeFile(`${path}.gz`, gzipSync('{"a":1}\n{"a":2}\n'))
    expect((await read(`${path}.gz`)).map(({ value }) => textOf(value))).toEqual(['{"a":1}', '{"a":2}'])
  })

  it('takes the offsets of stdin from the log, and reports progress by batch', async () => {
    const seen: number[] = []
    const records = await read('-', {
      stdin: Readable.from([Buffer.from('{"a":1}\n{"a"'), Buffer.from(':2}\n{"a":3}')]),
      batch: { records: 2, bytes: 1000 },
      onProgress: (progress) => seen.push(progress.records),
      format: 'native',
    })
    expect(records.map(({ topic, offset, format }) => [topic, offset, format])).toEqual([
      ['stdin', 0, 'native'],
      ['stdin', 1, 'native'],
      ['stdin', 2, 'native'],
    ])
    expect(seen.at(-1)).toBe(3)
  })

  it('reads what is packed with gzip or zstd, by its name or its first bytes', async () => {
    const text = '{"a":1}\n{"a":2}\n'
    for (const [name, bytes] of [
      ['a.gz', gzipSync(text)],
      ['b', gzipSync(text)],
      ['c.zst', zstdCompressSync(text)],
      ['d.log', zstdCompressSync(text)],
    ] as const) {
      await writeFile(join(folder, name), bytes)
      expect((await read(join(folder, name))).map(({ value }) => textOf(value))).toEqual([
        '{"a":1}',
        '{"a":2}',
      ])
    }
  })

  it('refuses what is no text, unless a format says that it is one record', async () => {
    const path = join(folder, 'message.bin')
    const message = Buffer.from([0x0a, 0x12, 0x0a, 0x00, 0xff, 0x0a, 0x61, 0x0a])
    for (const [bytes, isRefused] of [
      [message, true],
      [gzipSync(message), true],
      [Buffer.from('plain\nlatin: \xe9t\xe9\n', 'latin1'), true],
      [Buffer.from('\ufeff{"a":1}\n', 'utf16le'), true],
      [Buffer.from('{"a":"\xe9"}\n', 'latin1'), false],
      [Buffer.from(`${'x'.repeat(4095)}é\n`), false],
      [Buffer.from(''), false],
    ] as const) {
      await writeFile(path, bytes)
      const reading = read(path)
      if (isRefused) {
        await expect(reading).rejects.toMatchObject({
          code: 'request_invalid',
          place: { remedy: expect.stringContaining('--format otlp-proto') },
        })
      } else expect(await reading).toHaveLength(bytes.byteLength > 0 ? 1 : 0)
    }
    await writeFile(path, message)
    const whole = await read(path, { format: 'otlp-proto' })
    expect(whole.map(({ value, offset }) => [Buffer.from(value), offset])).toEqual([[message, 0]])
    await expect(read('-', { stdin: Readable.from([message]) })).rejects.toThrow('Stdin is not text')
    expect(await read('-', { stdin: Readable.from([message]), format: 'otlp-proto' })).toHaveLength(1)
  })

  it('names a file so that the name does nothing to a terminal', async () => {
    const error = await read(join(folder, 'a\u001b[2Jb\nc')).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'not_found' })
    expect((error as { toLine(): string }).toLine()).not.toMatch(/\p{Cc}/u)
  })

  it('says what is wrong with a file, after the records before the damage', async () => {
    await expect(read(join(folder, 'none'))).rejects.toMatchObject({ code: 'not_found' })
    await expect(read(folder)).rejects.toMatchObject({ code: 'not_found' })
    const path = join(folder, 'cut.gz')
    const whole = gzipSync('{"a":1}\n'.repeat(50_000))
    await writeFile(path, whole.subarray(0, whole.byteLength - 20))
    const records: unknown[] = []
    const reading = (async () => {
      for await (const batch of readRecords({
        ...{ path, tenant: 'default', stdin: Readable.from([]), nowMs: 1, reserve: () => 0 },
      })) {
        records.push(...batch)
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'request_invalid' })
    expect(records.length).toBeGreaterThan(1000)
  })
})

describe('HTTP body', () => {
  const body = (text: string, headers: Record<string, string> = {}) =>
    recordsOfBody({ body: Buffer.from(text), headers, tenant: 't', nowMs: 5, reserve: () => 100 })

  it('numbers records and lines, and keeps no credentials', () => {
    const { records, lines } = body('{"a":1}\n\nbroken\n{"a":2}', {
      authorization: 'Bearer x',
      cookie: 'y',
      'content-type': 'application/x-ndjson',
      'ce-type': 'call',
    })
    expect(records.map(({ offset }) => offset)).toEqual([100, 101, 102])
    expect(lines).toEqual([1, 3, 4])
    expect({ ...records[0]?.headers }).toEqual({ 'content-type': 'application/x-ndjson', ce_type: 'call' })
  })

  it('takes protobuf as it is and nothing from nothing', () => {
    expect(body('a\nb', { 'content-type': 'application/x-protobuf' }).records).toHaveLength(1)
    expect(body('').records).toEqual([])
  })

  it('gives a body under a key coordinates that follow from it, in bounds for whatever hash', () => {
    for (const hash of ['0'.repeat(32), 'f'.repeat(32), 'deadbeef00000001'.repeat(2)]) {
      const { partition, reserve } = keyedCoordinates(hash)
      const first = reserve('http', 2 ** 21)
      expect(partition).toBe(Number.parseInt(hash.slice(0, 8), 16))
      expect(Number.isSafeInteger(first + 2 ** 21 - 1)).toBe(true)
      expect(reserve('http', 1)).toBe(first)
      expect(() => reserve('http', 2 ** 21 + 1)).toThrow('more than')
    }
  })
})
