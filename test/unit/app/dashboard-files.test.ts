import { appendFileSync, cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { dashboardFolder } from '../../../app/dashboard-files.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const clone = mkdtempSync(join(tmpdir(), 'gatewatch-clone-'))
afterAll(() => rmSync(clone, { recursive: true, force: true }))

const web = join(clone, 'dashboards', 'web')
const folderOf = async (notes: string[]) =>
  dashboardFolder({ data: join(clone, 'data'), web: `${web}/`, note: (text) => notes.push(text) })

describe('the dashboard of a clone', () => {
  it('is built on the first start, kept, and built anew when its sources have changed', async () => {
    const built = join(ROOT, 'dashboards', 'web', 'dist')
    cpSync(join(ROOT, 'dashboards', 'web'), web, {
      recursive: true,
      filter: (file) => !file.startsWith(built),
    })
    cpSync(join(ROOT, 'package.json'), join(clone, 'package.json'))
    symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'))
    const notes: string[] = []
    const folder = await folderOf(notes)
    expect(existsSync(join(folder, 'index.html'))).toBe(true)
    expect(notes).toHaveLength(1)
    expect(await folderOf(notes)).toBe(folder)
    expect(notes).toHaveLength(1)
    // As `git pull` does.
    appendFileSync(join(web, 'index.html'), '<!-- newer -->\n')
    expect(await folderOf(notes)).toBe(folder)
    expect(notes).toHaveLength(2)
  })

  it('is taken as it is where there are no sources', async () => {
    const packed = join(clone, 'packed')
    const notes: string[] = []
    const folder = await dashboardFolder({
      data: clone,
      web: `${packed}/`,
      note: (text) => notes.push(text),
    })
    expect(folder).toBe(join(packed, 'dist'))
    expect(notes).toEqual([])
  })
})
