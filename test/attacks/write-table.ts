import { readFileSync, writeFileSync } from 'node:fs'
import { loadAttacks } from './attacks.ts'
import { tableOf } from './table.ts'

// node test/attacks/write-table.ts
const path = new URL('../../docs/attacks.md', import.meta.url)
const text = readFileSync(path, 'utf8')
const heading = '## The table'
const end = text.indexOf(heading) + heading.length
writeFileSync(path, `${text.slice(0, end)}\n\n${tableOf(await loadAttacks())}\n`)
