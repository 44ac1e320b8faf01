// Package loop is the answer to drift as a pure state machine: alarm, candidate, verdict, shadow, canary, promotion.
//
// Next looks at a State and at what was Observed and returns the next State and the Actions to do. It reads no clock
// and acts on nothing. The caller does the actions and then saves the state; a crash in between hands the same actions
// with the same keys out again, and an action done twice under one key changes nothing.
package loop
