import type { JSX } from 'preact'
import { isHelpOpen } from './keyboard.ts'
import { answeredAtMs, isLive, nowMs, refreshCount, signedOut } from './live.ts'
import { link, route } from './location.ts'
import { Help } from './parts/help.tsx'
import { Icon, type IconName } from './parts/icons.tsx'
import { later } from './parts/later.tsx'
import { Empty } from './parts/notice.tsx'
import { RangePicker } from './parts/range-picker.tsx'
import { AlertScreen } from './screens/alert.tsx'
import { AlertsScreen } from './screens/alerts.tsx'
import { DeadLettersScreen } from './screens/dead-letters.tsx'
import { DeliveriesScreen } from './screens/deliveries.tsx'
import { FindingScreen } from './screens/finding.tsx'
import { FindingsScreen } from './screens/findings.tsx'
import { OverviewScreen } from './screens/overview.tsx'
import { SignInScreen } from './screens/sign-in.tsx'
import { formatAgo, viewerZone } from './time.ts'

/** Screens with long lists come with the list engine, which the first page does without. */
const EventsScreen = later(() => import('./screens/events.tsx').then((module) => module.EventsScreen))
const ChainScreen = later(() => import('./screens/chain.tsx').then((module) => module.ChainScreen))

const PLACES: readonly { readonly path: string; readonly name: string; readonly icon: IconName }[] = [
  { path: '', name: 'Overview', icon: 'overview' },
  { path: 'findings', name: 'Findings', icon: 'findings' },
  { path: 'alerts', name: 'Alerts', icon: 'alerts' },
  { path: 'events', name: 'Events', icon: 'events' },
  { path: 'deliveries', name: 'Deliveries', icon: 'deliveries' },
  { path: 'dead-letters', name: 'Dead letters', icon: 'dead-letters' },
]

function Screen(): JSX.Element {
  const [place, id] = route.value.path
  if (place === undefined) return <OverviewScreen />
  if (place === 'findings') return id === undefined ? <FindingsScreen /> : <FindingScreen key={id} id={id} />
  if (place === 'alerts') return id === undefined ? <AlertsScreen /> : <AlertScreen key={id} id={id} />
  if (place === 'events') return <EventsScreen />
  if (place === 'chain') return <ChainScreen key={route.value.params.key ?? ''} />
  if (place === 'deliveries') return <DeliveriesScreen />
  if (place === 'dead-letters') return <DeadLettersScreen />
  return (
    <Empty title="There is no such page.">
      <a href={link([])}>Back to the overview</a>
    </Empty>
  )
}

function Navigation(): JSX.Element {
  const here = route.value.path[0] ?? ''
  return (
    <nav class="places" aria-label="Places">
      {PLACES.map((place) => (
        <a
          key={place.path}
          href={link(place.path === '' ? [] : [place.path])}
          aria-current={here === place.path ? 'page' : undefined}
        >
          <Icon name={place.icon} />
          <span>{place.name}</span>
        </a>
      ))}
    </nav>
  )
}

function LiveSwitch(): JSX.Element {
  const answered = answeredAtMs.value
  const said = answered === undefined ? 'connecting' : formatAgo(answered, nowMs.value)
  return (
    <button
      type="button"
      class={isLive.value ? 'live is-live' : 'live'}
      aria-pressed={isLive.value}
      title={isLive.value ? 'Refreshing every 5 s. Press to pause.' : 'Paused. Press to go on.'}
      onClick={() => {
        isLive.value = !isLive.value
        if (isLive.value) refreshCount.value += 1
      }}
    >
      <Icon name={isLive.value ? 'pause' : 'play'} />
      {isLive.value ? 'Live' : 'Paused'} <span class="dim">{said}</span>
    </button>
  )
}

export function App(): JSX.Element {
  return (
    <div class="frame">
      <button
        type="button"
        class="skip"
        onClick={() => document.querySelector<HTMLElement>('#main')?.focus()}
      >
        To the content
      </button>
      <header class="top">
        <a class="brand" href={link([])}>
          gatewatch
        </a>
        <RangePicker />
        <span class="zone" title="All times are in your zone; hover a time for UTC">
          {viewerZone(nowMs.value)}
        </span>
        <LiveSwitch />
        <button
          type="button"
          class="quiet help"
          aria-label="Keys"
          title="Keys (?)"
          onClick={() => (isHelpOpen.value = true)}
        >
          <Icon name="help" />
        </button>
      </header>
      <Navigation />
      <main id="main" tabIndex={-1}>
        {isSecureContext ? null : (
          <p class="problem" role="alert">
            This page came over the network without encryption: whoever is on the way can read it and act as
            you. Give gatewatch a certificate, or put a proxy with TLS before it.
          </p>
        )}
        {signedOut.value ? <SignInScreen /> : <Screen />}
      </main>
      <Help />
    </div>
  )
}
