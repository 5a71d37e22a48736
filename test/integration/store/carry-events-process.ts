import { carryEvents } from '../../../store/carry-events.ts'
import { openEmbedded } from '../../../store/clickhouse.ts'

/** Carries the events of the store in the folder over, and kills itself (SIGKILL) while it copies the second day. */
const database = await openEmbedded({ path: process.argv[2] ?? '' })
let copies = 0
await carryEvents(
  {
    ...database,
    command: async (sql, params) => {
      const running = database.command(sql, params)
      if (sql.startsWith('INSERT INTO events_next')) copies += 1
      if (copies === 2) process.kill(process.pid, 'SIGKILL')
      await running
    },
  },
  () => {},
)
