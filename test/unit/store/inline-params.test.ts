import { describe, expect, it } from 'vitest'
import { inlineParams } from '../../../store/inline-params.ts'

describe('inlineParams', () => {
  it('puts values into quotes that they cannot leave', () => {
    expect(inlineParams('SELECT {a:String}', { a: "x' OR 1 = 1 --\\" })).toBe("SELECT 'x\\' OR 1 = 1 --\\\\'")
    expect(inlineParams('{a:Array(String)}', { a: ["'", '\\'] })).toBe(
      "CAST('[\\'\\\\\\'\\',\\'\\\\\\\\\\']', 'Array(String)')",
    )
    expect(inlineParams('{a:String}', { a: 'a\0b' })).toBe("'a\\0b'")
  })

  it('does not take a value for a parameter, nor braces for one that is not given', () => {
    expect(inlineParams('{a:String} {b:String}', { a: '{b:String}', b: 'x' })).toBe("'{b:String}' 'x'")
    expect(inlineParams("'{c:String}'", { a: 'x' })).toBe("'{c:String}'")
  })

  it('casts to the type that the statement names', () => {
    expect(inlineParams("{t:DateTime64(6, 'UTC')} {n:UInt32}", { t: '2026-01-01 00:00:00', n: 3 })).toBe(
      "CAST('2026-01-01 00:00:00', 'DateTime64(6, \\'UTC\\')') CAST('3', 'UInt32')",
    )
    expect(inlineParams('{n:Int64}', { n: 2 ** 70 })).toBe("CAST('1180591620717411303424', 'Int64')")
  })
})
