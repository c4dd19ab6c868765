// Reads again what changed: one subscription, gathered for a moment, then only the queries concerned.
import type { Change } from '@restic-manager/contract/change'
import { hashKey, type Query, type QueryFilters } from '@tanstack/react-query'
import { useEffect } from 'react'
import { gatherReads } from './gather-reads.ts'
import { setLive, setSilence } from './link.ts'
import { staySubscribed } from './stay-subscribed.ts'
import { client, queryClient, trpc, watchForSignOut } from './trpc.ts'

/** What changes a count in the navigation. */
const counted = new Set<Change['topic']>(['host', 'job', 'repository', 'alert'])

/** The queries a change concerns. Of a long list the pages in view are read: one row may have moved, come or gone. */
export function queriesFor({ topic, id }: Change): QueryFilters[] {
  switch (topic) {
    case 'host':
      return [
        trpc.hosts.list.pathFilter(),
        trpc.hosts.tags.pathFilter(),
        trpc.hosts.get.queryFilter({ hostId: id }),
        trpc.jobs.get.pathFilter(),
        trpc.schedules.list.pathFilter(),
        trpc.schedules.get.pathFilter(),
      ]
    case 'job':
      return [
        trpc.jobs.list.pathFilter(),
        trpc.jobs.get.queryFilter({ jobId: id }),
        trpc.hosts.list.pathFilter(),
        trpc.hosts.get.pathFilter(),
        trpc.schedules.list.pathFilter(),
        // Its queue of maintenance, and what waits for what.
        trpc.repositories.get.pathFilter(),
      ]
    case 'repository':
      return [
        trpc.repositories.list.pathFilter(),
        trpc.repositories.get.queryFilter({ repositoryId: id }),
        trpc.repositories.sizes.pathFilter(),
        trpc.hosts.get.pathFilter(),
        trpc.schedules.list.pathFilter(),
      ]
    case 'snapshots':
      return [
        trpc.snapshots.list.pathFilter(),
        trpc.repositories.list.pathFilter(),
        trpc.repositories.get.pathFilter(),
        trpc.hosts.list.pathFilter(),
        trpc.hosts.get.pathFilter(),
        trpc.jobs.get.pathFilter(),
      ]
    case 'enrolment':
      return [trpc.enrolments.list.pathFilter(), trpc.enrolments.get.queryFilter({ enrolmentId: id })]
    case 'alert':
      return [trpc.alerts.list.pathFilter()]
    case 'audit':
      return [trpc.audit.list.pathFilter()]
    case 'everything':
      return [{}]
  }
}

/** The Overview sums up the whole fleet, and every change concerns it: it is read again less often than a list. */
const OVERVIEW_PAUSE = 3_000

function gatherChanges() {
  const isOverview: QueryFilters['predicate'] = ({ queryKey }) =>
    hashKey(queryKey.slice(0, 1)) === hashKey(trpc.overview.get.pathKey())
  const gathered = gatherReads<QueryFilters>(filters => {
    const all = filters.some(({ queryKey }) => queryKey === undefined)
    return Promise.all(
      (all ? [{ predicate: (query: Query) => !isOverview(query) }] : filters).map(filter =>
        queryClient.invalidateQueries(filter),
      ),
    )
  })
  const summed = gatherReads(() => queryClient.invalidateQueries({ predicate: isOverview }), {
    pause: OVERVIEW_PAUSE,
  })
  return {
    add(change: Change) {
      if (counted.has(change.topic)) gathered.add('counts', trpc.overview.counts.pathFilter())
      for (const filter of queriesFor(change)) gathered.add(JSON.stringify(filter.queryKey ?? {}), filter)
      summed.add('overview', undefined)
    },
    stop() {
      gathered.stop()
      summed.stop()
    },
  }
}

/** Keeps everything on the page up to date while it is shown. */
export function useLiveChanges(): void {
  useEffect(() => {
    const gathered = gatherChanges()
    let started = false
    const stop = staySubscribed(
      telling =>
        client.live.changes.subscribe(undefined, {
          ...telling,
          onData: change => {
            setLive(true)
            gathered.add(change)
          },
          onConnectionStateChange: ({ state }) => {
            if (state !== 'pending') setLive(false)
          },
        }),
      {
        started: () => {
          setLive(true)
          // What happened while nobody listened was not announced.
          if (started) gathered.add({ topic: 'everything', id: '' })
          started = true
        },
        failed: error => {
          setLive(false)
          watchForSignOut(error)
        },
      },
    )
    const stopWatching = watchDatabase()
    return () => {
      stop()
      stopWatching()
      gathered.stop()
    }
  }, [])
}

/** While the link is up the server says whether its database answers. What it said last stands while the link is down. */
function watchDatabase(): () => void {
  return staySubscribed(telling =>
    client.live.database.subscribe(undefined, {
      ...telling,
      onData: ({ silentSince }) => setSilence(silentSince?.getTime()),
    }),
  )
}
