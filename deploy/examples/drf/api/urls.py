from django.urls import path

from api import views

urlpatterns = [
    path("public", views.public),
    path("me", views.me),
    path("reports", views.reports),
]
