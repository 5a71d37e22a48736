import type { Attack, AttackResult } from './attack.ts'
import { rawLogin } from './sign-in.ts'

/** A browser has one jar for all ports of a host. */
export const attack: Attack = {
  name: 'Another gatewatch on the same host takes the place of the session in the browser',
  kind: 'shared cookie jar',
  section: 3,
  async run({ fresh }): Promise<AttackResult> {
    const [one, other] = [await fresh({ pairs: 1 }), await fresh({ pairs: 1 })]
    const names = [await rawLogin(one), await rawLogin(other)].map(({ cookie }) => cookie.split('=')[0])
    return { succeeded: names[0] === names[1], detail: `cookies ${names.join(' and ')}` }
  },
}
