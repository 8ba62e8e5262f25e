"""The front door: OpenAI's API over HTTP, held requests, wakes, forecasts and bills.

It knows tokens, prompts and plans; it never computes an expert and never loads torch. Starting
and stopping parts is the runtime's work, generating tokens the main model's.
"""
