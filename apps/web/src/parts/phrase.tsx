// Sentences in which what matters stands out.
import type { Phrase as Words } from '../schedule-words.ts'

/** The words of a phrase, its strong parts bolder. */
export const Phrase = ({ of }: { of: Words }) =>
  of.map((part, index) =>
    typeof part === 'string' ? (
      part
    ) : (
      // The parts of a sentence never move.
      // eslint-disable-next-line react/no-array-index-key
      <b key={index} className="phrase-strong break">
        {part.strong}
      </b>
    ),
  )
