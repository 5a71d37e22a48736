import { describe, expect, it } from 'vitest'
import { describeArguments } from '../../../ingest/describe-arguments.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'
import { SECRET_PATTERNS } from '../../../ingest/redact/secret-patterns.ts'

const redactor = createRedactor({ id: 'k1', secret: new Uint8Array(32).fill(7) })
const SECRET = 'correct horse, battery'
const clean = (text: string) => describeArguments(text, 'acme', redactor).text

describe('every pattern', () => {
  // A pattern that starts again at each repetition and reads to the end takes minutes for this, not milliseconds.
  it.each(SECRET_PATTERNS)('$id takes its time in proportion to the text', ({ keywords, expression }) => {
    for (const keyword of keywords) {
      for (const piece of [
        `${keyword}aaaaaaaa-`,
        `eyJaaaaaaaa${keyword}-`,
        `-${keyword}=a"`,
        `://${keyword}:`,
      ]) {
        const startMs = performance.now()
        piece.repeat(200_000 / piece.length).replace(expression, '')
        expect(performance.now() - startMs).toBeLessThan(2000)
      }
    }
  })
})

describe('secrets in shapes that were once missed', () => {
  it.each([
    ['the first of two equal keys', '{"note":"AKIAABCDEFGHIJKLMNOP","note":"ok"}', 'AKIAABCDEFGHIJKLMNOP'],
    [
      'an escape in the first of two equal keys',
      '{"note":"\\u0041KIAABCDEFGHIJKLMNOP","note":"ok"}',
      'KIAABCDEFGHIJKLMNOP',
    ],
    ['a password before its null', `{"password":"${SECRET}","password":null}`, SECRET],
    [
      'JSON inside JSON with two equal keys',
      JSON.stringify({ body: '{"note":"AKIAABCDEFGHIJKLMNOP","note":"ok"}' }),
      'AKIAABCDEFGHIJKLMNOP',
    ],
    ['a header beside its name', `{"headers":[{"name":"X-Api-Key","value":"${SECRET}"}]}`, SECRET],
    [
      'an OTLP attribute',
      `{"attributes":[{"key":"db.password","value":{"stringValue":"${SECRET}"}}]}`,
      SECRET,
    ],
  ])('%s', (_, text, secret) => {
    expect(clean(text)).not.toContain(secret)
  })

  it.each([
    ['quoted, in broken JSON', `{"password":"${SECRET}"`],
    ['quoted, in a text', `password: "${SECRET}"`],
    ['quoted and escaped', `{\\"password\\":\\"${SECRET}\\"}`],
    ['behind a prefix', 'PGPASSWORD=hunter2hunter2'],
  ])('%s', (_, text) => {
    expect(redactor.text(text, 'acme')).not.toMatch(/horse|battery|hunter2/)
  })

  it('keeps numbers that JSON cannot hold when nothing is wrong', () => {
    expect(clean('{"id":9007199254740993}')).toBe('{"id":9007199254740993}')
  })
})
