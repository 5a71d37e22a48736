import { link, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attack, AttackResult } from './attack.ts'
import { deadLettersUntil } from './dead-letters.ts'

/** What is followed is read with the rights of gatewatch, and shown to whoever may read events. */
export const attack: Attack = {
  name: 'Who may write into a followed folder has files of others read, the API key among them, by links to them',
  kind: 'link to an own key',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const key = join(target.data, 'credentials', 'api-key')
    const elsewhere = join(target.data, '..', 'of-somebody-else.txt')
    await writeFile(elsewhere, 'private-note-of-somebody-else\n')
    const links = {
      key: join(target.followed, 'one.log'),
      elsewhere: join(target.followed, 'two.log'),
      // Where the system lets everybody make second names of files.
      hard: join(target.followed, 'three.log'),
    }
    await symlink(key, links.key)
    await symlink(elsewhere, links.elsewhere)
    await link(key, links.hard).catch(() => {})
    // Read after the links are, so that nothing is waited for in vain.
    await writeFile(join(target.followed, 'zz-marker.log'), 'marker-after-the-links\n')
    const letters = await deadLettersUntil(target, (all) =>
      all.some(({ record }) => record.includes('marker-after-the-links')),
    )
    await sleep(100)
    const text = JSON.stringify([letters, await deadLettersUntil(target, () => true)])
    const secret = (await readFile(key, 'utf8')).trim()
    const read = [
      ...(text.includes(secret) ? ['the API key'] : []),
      ...(letters.some(({ topic }) => /one\.log|three\.log/.test(topic)) ? ['the file of the API key'] : []),
      ...(text.includes('private-note-of-somebody-else') ? ['a file of somebody else'] : []),
    ]
    const said = target.log().includes('two.log is left out')
    return {
      succeeded: read.length > 0 || !said,
      detail: `read: ${read.join(', ') || 'nothing'}; left out by name: ${said}`,
    }
  },
}
