// Reads again what changed: one subscription, gathered for a moment, then only the queries concerned.
import type { Change } from '@restic-manager/contract/views'
import type { QueryFilters } from '@tanstack/react-query'
import { useEffect } from 'react'
import { setLive } from './link.ts'
import { staySubscribed } from './stay-subscribed.ts'
import { client, queryClient, trpc, watchForSignOut } from './trpc.ts'

const GATHER = 200

/** The queries a change concerns. Lists are read whole: one row may have moved, come or gone. */
export function queriesFor({ topic, id }: Change): QueryFilters[] {
  switch (topic) {
    case 'host':
      return [
        trpc.hosts.list.pathFilter(),
        trpc.hosts.get.queryFilter({ hostId: id }),
        trpc.jobs.get.pathFilter(),
      ]
    case 'job':
      return [
        trpc.jobs.list.pathFilter(),
        trpc.jobs.get.queryFilter({ jobId: id }),
        trpc.hosts.list.pathFilter(),
        trpc.hosts.get.pathFilter(),
      ]
    case 'repository':
      return [
        trpc.repositories.list.pathFilter(),
        trpc.repositories.get.queryFilter({ repositoryId: id }),
        trpc.hosts.get.pathFilter(),
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
    case 'everything':
      return [{}]
  }
}

function gatherer() {
  const waiting = new Map<string, QueryFilters>()
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    timer = undefined
    const filters = waiting.has('{}') ? [{}] : [...waiting.values()]
    waiting.clear()
    for (const filter of filters) void queryClient.invalidateQueries(filter)
  }
  return {
    add(change: Change) {
      for (const filter of queriesFor(change)) waiting.set(JSON.stringify(filter.queryKey ?? {}), filter)
      timer ??= setTimeout(flush, GATHER)
    },
    stop: () => clearTimeout(timer),
  }
}

/** Keeps everything on the page up to date while it is shown. */
export function useLiveChanges(): void {
  useEffect(() => {
    const gathered = gatherer()
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
    return () => {
      stop()
      gathered.stop()
    }
  }, [])
}
