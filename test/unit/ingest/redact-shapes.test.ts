import { describe, expect, it } from 'vitest'
import { createRedactor } from '../../../ingest/redact/redactor.ts'

const redactor = createRedactor({ id: 'k1', secret: new Uint8Array(32).fill(7) })
const SECRET = 'Tr0ub4dor-Zq81xK'
const NAMED = `password=${SECRET}`

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const base32 = (text: string): string => {
  const bits = [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? []).map((five) => BASE32[Number.parseInt(five.padEnd(5, '0'), 2)]).join('')
}
const hex = (text: string) => Buffer.from(text).toString('hex')
const each = (write: (code: number) => string) => [...NAMED].map((char) => write(char.charCodeAt(0))).join('')
const utf16 = (text: string) => Buffer.from(text, 'utf16le')

// The issue named these, or they were found beside them.
const COMMANDS = [
  `ansible_become_pass: ${SECRET}`,
  `host ansible_host=10.0.0.1 ansible_ssh_pass=x1 ansible_become_pass=${SECRET}`,
  `http -a bob:${SECRET} GET https://api.example/x`,
  `https POST api.example/x -a bob:${SECRET}`,
  `http --auth bob:${SECRET} api.example/x`,
  `unzip -P ${SECRET} a.zip`,
  `zip -r -P "${SECRET}" a.zip folder`,
  `7z x -p${SECRET} a.7z`,
  `unrar x -hp${SECRET} a.rar`,
  `mosquitto_pub -u bob -P ${SECRET} -t topic`,
  `smbclient //srv/share -U bob%${SECRET}`,
  `openssl enc -aes-256-cbc -k ${SECRET} -in a`,
  `xfreerdp /u:bob /p:${SECRET} /v:host`,
  `ConvertTo-SecureString "${SECRET}" -AsPlainText -Force`,
  `$p = ConvertTo-SecureString -String '${SECRET}' -AsPlainText`,
  `ConvertTo-SecureString -AsPlainText -Force "${SECRET}"`,
  `'${SECRET}' | ConvertTo-SecureString -AsPlainText -Force`,
  `x-functions-key: ${SECRET}`,
  `curl -H 'x-functions-key: ${SECRET}' https://f.azurewebsites.net/api/x`,
]
const ENCODED = {
  'a URL as a parameter': encodeURIComponent(`https://bob:${SECRET}@api.example/x`),
  'a query as a parameter': encodeURIComponent(`https://api.example/x?api_key=${SECRET}`),
  hex: hex(NAMED),
  'hex in capitals': hex(NAMED).toUpperCase(),
  'hex with 0x': `0x${hex(NAMED)}`,
  'hex of JSON': hex(JSON.stringify({ password: SECRET })),
  'escapes of bytes': each((code) => `\\x${code.toString(16)}`),
  'escapes of letters': each((code) => `\\u${code.toString(16).padStart(4, '0')}`),
  'entities by number': each((code) => `&#${code};`),
  'entities by hex number': each((code) => `&#x${code.toString(16)};`),
  'entities that end without a sign': each((code) => `&#${String(code).padStart(7, '0')}`),
  'one entity': `password&#61;${SECRET}`,
  'JSON in HTML': `{&quot;password&quot;: &quot;${SECRET}&quot;}`,
  base32: base32(NAMED),
  'base32 with its end': `${base32(NAMED)}====`,
  'UTF-16 as base64': utf16(NAMED).toString('base64'),
  'UTF-16 with its mark as base64': Buffer.concat([Buffer.from([0xff, 0xfe]), utf16(NAMED)]).toString(
    'base64',
  ),
  'UTF-16 of the other order as base64': utf16(NAMED).swap16().toString('base64'),
  'a command of PowerShell': `powershell -enc ${utf16(`$x = 1; $password="${SECRET}"`).toString('base64')}`,
  'UTF-16 read as bytes': utf16(NAMED).toString('latin1'),
  'hex of base64': hex(Buffer.from(NAMED).toString('base64')),
  'base64 of entities': Buffer.from(each((code) => `&#${code};`)).toString('base64'),
}

const formsOf = (text: string) => [
  text,
  hex(SECRET),
  hex(SECRET).toUpperCase(),
  Buffer.from(SECRET).toString('base64').slice(0, 16),
]

describe('secrets in shapes that were found missing', () => {
  it.each([...COMMANDS.map((text) => [text, text]), ...Object.entries(ENCODED)])('%s', (_, text) => {
    for (const clean of [
      redactor.text(text, 't'),
      redactor.jsonText(text, 't'),
      JSON.stringify(redactor.json({ command: text, list: [text] }, 't')),
      redactor.jsonText(JSON.stringify({ outer: JSON.stringify({ command: text }) }), 't'),
      redactor.text(`first: ${text} and so on`, 't'),
    ]) {
      expect(clean).toContain('hmac:k1:')
      for (const form of [SECRET, ...formsOf(text)]) expect(clean).not.toContain(form)
    }
    expect(redactor.isClean(text)).toBe(false)
  })
})

describe('what has such a shape and no secret', () => {
  it.each([
    'http -a is the flag for it',
    'unzip -l a.zip',
    'rar files are old',
    'ConvertTo-SecureString $plain -AsPlainText',
    'It&#39;s a &quot;quoted&quot; word &amp; more &#8211; with dashes',
    'const tab = "\\x09", quote = "\\u0022"',
    'span 70f1c2d3a4b5c6d7e8f90a1b2c3d4e5f, trace 0af7651916cd43dd8448eb211c80319c',
    hex('The quarterly figures are in the folder of the finance team.'),
    base32('The quarterly figures are in the folder of the finance team.'),
    utf16('Get-ChildItem C:\\Users | Select-Object Name').toString('base64'),
    'THEQUICKBROWNFOXJUMPSOVERTHELAZYDOGS',
  ])('stays as it is: %s', (text) => {
    expect(redactor.text(text, 't')).toBe(text)
    expect(redactor.json({ text }, 't')).toEqual({ text })
  })
})
