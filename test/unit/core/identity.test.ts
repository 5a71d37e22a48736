import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalPrincipal } from '../../../core/identity.ts'

describe('one spelling for each principal', () => {
  it.each([
    [
      'ada@corp.example',
      ['Ada@Corp.Example', ' ada@corp.example ', 'mailto:ADA@corp.example', 'Ada R <ada@corp.example>'],
    ],
    [
      'ada@corp.example',
      ['accounts.google.com:ada@corp.example', 'acct:ada@corp.example', 'ada@corp.example.'],
    ],
    ['ada@corp.example', ['ada_corp.example#EXT#@tenant.onmicrosoft.example']],
    ['ada@corp.example', ['arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Dev_1/Ada@corp.example']],
    ['ada@gmail.com', ['ada@googlemail.com']],
    ['ada@xn--bcher-kva.example', ['ada@bücher.example', 'ADA@BÜCHER.example']],
    ['corp\\ada', ['CORP\\Ada', 'corp\\ADA', 'Corp\\Ada ']],
    ['ada/host.corp.example@corp.example', ['ada/host.corp.example@CORP.EXAMPLE']],
    ['cn=ada,ou=staff,dc=corp', ['CN=Ada,OU=Staff,DC=corp', 'cn=ada, ou=staff, dc=corp']],
    [
      '8d1a0000-0000-4000-8000-00000000000a',
      ['{8D1A0000-0000-4000-8000-00000000000A}', '8D1A0000-0000-4000-8000-00000000000A'],
    ],
  ])('%s', (canonical, spellings) => {
    for (const spelling of spellings) expect(canonicalPrincipal(spelling)).toBe(canonical)
  })

  it.each([
    'Xk9PqR',
    'xk9pqr',
    'U02ABC',
    'auth0|5F7',
    'arn:aws:iam::1:role/App',
    'system:serviceaccount:Ns:sa',
    'a\\b\\C',
    'A/b\\c',
  ])('%s stays as it is: ids may differ by case alone', (id) => expect(canonicalPrincipal(id)).toBe(id))

  it('is its own spelling, and never none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (name) => {
        const once = canonicalPrincipal(name)
        expect(canonicalPrincipal(once)).toBe(once)
        if (name.trim() !== '') expect(once).not.toBe('')
      }),
    )
  })
})
