// Whether a seed tells the same story again.
import { expect, test } from 'vitest'
import { actWeights, drawStory, faultWeights } from './story.ts'

test('one seed tells one story, and another seed another', () => {
  expect(drawStory(7, 2)).toEqual(drawStory(7, 2))
  expect(drawStory(8, 2).faults).not.toEqual(drawStory(7, 2).faults)
})

test('a longer story of a seed begins as the shorter one does', () => {
  const short = drawStory(3, 1)
  const long = drawStory(3, 3)
  expect(long.faults.slice(0, short.faults.length)).toEqual(short.faults)
  expect(long.acts.slice(0, short.acts.length)).toEqual(short.acts)
})

test('within some stories every fault and every act comes', () => {
  const stories = Array.from({ length: 10 }, (_, seed) => drawStory(seed, 1))
  const faults = new Set(stories.flatMap(story => story.faults.map(({ kind }) => kind)))
  const acts = new Set(stories.flatMap(story => story.acts.map(({ kind }) => kind)))
  expect([...faults].toSorted()).toEqual(Object.keys(faultWeights).toSorted())
  expect([...acts].toSorted()).toEqual(Object.keys(actWeights).toSorted())
})
