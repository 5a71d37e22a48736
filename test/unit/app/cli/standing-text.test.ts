import { expect, it } from 'vitest'
import { standingText } from '../../../../app/cli/standing-text.ts'

it('says which process has the work that stands still, and whether it lives', () => {
  const silent = { owner: 'host/17/a', owner_silent_s: 42 }
  expect(
    standingText(
      {
        shards: [
          { shard: 0, progress_age_s: 50, ...silent },
          { shard: 3, progress_age_s: 44, ...silent },
          { shard: 5, progress_age_s: 3, owner: 'host/18/b\u001b[2J', owner_silent_s: 1 },
        ],
      },
      30,
    ),
  ).toMatchInlineSnapshot(
    `"no progress for 30 s: shards 0, 3 belong to process host/17/a, silent for 42 s: it is gone or suspended, and nobody has taken over. Start a process with the role detect, or let that one go on; shard 5 belongs to process host/18/b\\u{1b}[2J, which lives and stored its progress 3 s ago"`,
  )
  expect(standingText({ shards: [{ shard: 0, progress_age_s: 90 }] }, 15)).toMatchInlineSnapshot(
    `"no progress for 15 s: no process is known to hold shard 0, which stored its progress 90 s ago: is one with the role detect running?"`,
  )
  expect(standingText({ shards: [] }, 15)).toMatchInlineSnapshot(
    `"no progress for 15 s: is a process with the role detect running (npm start)?"`,
  )
})
