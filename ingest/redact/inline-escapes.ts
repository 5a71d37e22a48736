/** Words that call for `withoutInlineEscapes`: characters written by their numbers or names, and UTF-16 read as bytes. */
export const INLINE_KEYWORDS: readonly string[] = [
  '&#',
  '&quot;',
  '&apos;',
  '&colon;',
  '&equals;',
  '\\x',
  '\\u0',
  '\0',
]

const INLINE =
  /&#(\d{1,7});?|&#x([0-9a-f]{1,6});?|&(quot|apos|amp|lt|gt|colon|equals|sol|commat|period|lowbar);|\\x([0-9a-f]{2})|\\u00([0-9a-f]{2})|\0/gi
const NAMED: Readonly<Record<string, string>> = {
  ...{ quot: '"', apos: "'", amp: '&', lt: '<', gt: '>', colon: ':', equals: '=' },
  ...{ sol: '/', commat: '@', period: '.', lowbar: '_' },
}
const LAST_CODE_POINT = 0x10ffff

/**
 * A text with its characters as themselves, where they are written as entities of HTML (`&#112;`, `&#x70;`, `&quot;`) or as
 * escapes of programs (`\x70`, `\u0070`), and without the NULs that are half of every letter in UTF-16.
 */
export const withoutInlineEscapes = (text: string): string =>
  text.replace(
    INLINE,
    (written, decimal?: string, hex?: string, name?: string, byte?: string, unit?: string) => {
      if (name !== undefined) return NAMED[name.toLowerCase()] ?? written
      const code = decimal === undefined ? Number.parseInt(hex ?? byte ?? unit ?? '', 16) : Number(decimal)
      if (Number.isNaN(code)) return ''
      return code <= LAST_CODE_POINT ? String.fromCodePoint(code) : written
    },
  )
