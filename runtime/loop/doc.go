// Package loop is the answer to drift as a pure state machine: alarm, candidate, verdict, shadow, canary, promotion.
//
//	watching --alarm--> retraining --> evaluating --better--> shadow --> [approval] --> canary --> promoting --> watching
//	                        ^              |                    |            |             |
//	                        |              +---- rejected: the alert stays open ----------+
//	                        +-------------- cool_down <-------------------------------------+
//
// Next looks at a State and at what was Observed and returns the next State and the Actions to do. It reads no clock
// and acts on nothing. It makes at most one transition, so the caller calls it again until the state stays.
//
// # What is compared, and what that costs
//
// A candidate is trained on days up to T and judged, once, on the EvaluationDays (at least 90) days after T, champion
// and candidate on the same days; the caller gives the paired bootstrap interval of the difference, and the candidate
// wins when the whole interval is above zero. Training and evaluation days never overlap, and the window is fixed
// before its first truth is looked at, so the interval means what it says. T is the alarm day, or EvaluationDays before
// the newest truth when that is later. So:
//
//   - The first candidate learns from everything up to the alarm and is judged on the 90 days that follow it: the answer
//     takes 90 days. Judging at once on the 90 days before the alarm would compare two versions neither of which has
//     seen the new level. On the demonstration's data (alarm at the end of March 2023) such candidates lose, or win by
//     half an attendance a day and would be promoted for it; one trained at the alarm wins 16.1 against 18.5, interval
//     of the difference 0.6 to 4.5, and keeps winning, 14.0 against 15.8, to the end of 2024.
//   - Later attempts, one cool-down after a rejection, train up to 90 days ago and are judged at once.
//   - A promoted version is at least 90 days old, shadow and canary come on top. What is promoted is the very version
//     that was judged, never a refit. On the demonstration's data that costs 0.1 to 0.7 of 14 in mean absolute error
//     against a version trained on the day of promotion; the next alarm, if there is one, makes that up.
//   - Attempts after a rejection are further tests of the same alarm, each at 95 %. Two equal versions win about one
//     time in forty, so ten attempts promote an equal one with a chance of at most a quarter; it would be no worse.
//
// A training recipe must fit its final model on all days up to T. One that keeps its newest months back for validation
// has not seen what the alarm is about: on the demonstration's data such candidates lose six times in a row.
//
// train.Compare computes the interval from both versions' answers.
//
// # Guarantees
//
// The same arguments give the same answer. The caller does the actions first and saves the state afterwards; a crash in
// between hands out the same actions under the same keys again, and an action done twice under one key changes nothing.
// Promote names the champion it replaces, so a second one finds nothing to replace. An endpoint whose status already
// names the candidate is taken as promoted, whoever did it.
//
// No version gives an answer without a principal allowed to promote and a reason: the approval comes before the canary,
// because a canary answers. Only a Policy that names a Principal and requires no approval goes on by itself. A policy's
// zero value requires approval.
//
// A champion that was not trained here (Observed.Untrained) cannot be trained again: its alarm opens the alert, and the
// loop stays watching until a person dismisses it.
//
// An alert stays open until a version is promoted, the champion is replaced by other means, or a person dismisses it.
// Every transition has a reason code:
//
//	drift.alarm, cool_down.over, training.done, training.failed, evaluation.better, evaluation.not_better,
//	evaluation.worse, evaluation.days_missing, evaluation.failed, evaluation.invalid, shadow.passed, shadow.errors,
//	shadow.slow, approval.granted, approval.refused, canary.passed, canary.errors, canary.slow, candidate.promoted,
//	champion.replaced, champion.rolled_back, alert.dismissed
//
// # What a caller may not assume
//
// All times are event time: days of the data, not of the wall clock. A canary waits for answers, not for days: at a
// share of 0.1 thirty answers need three hundred requests.
package loop
